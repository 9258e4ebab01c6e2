"""A criterion that also compares with what a teacher says of the same batch."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pocketdet.compress.distill.features import Adapters, HeadInputs
from pocketdet.compress.distill.pseudo_boxes import with_detections
from pocketdet.compress.distill.terms import are_comparable, output_terms
from pocketdet.conventions import Detections
from pocketdet.data.loading.batch import Batch
from pocketdet.model import DecodeSettings, Detector, RawOutputs
from pocketdet.train.criterion import Criterion, criterion_of
from pocketdet.train.loss import LossTerms
from pocketdet.train.plan import nothing
from pocketdet.train.state import TrainState


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """How a training differs where there is a teacher; what `Workbench.fine_tune` takes."""

    criterion: Callable[[Detector], Criterion] = criterion_of
    after_step: Callable[[TrainState], None] = nothing


PLAIN = Teaching()
"""Training without a teacher."""


@dataclass(frozen=True, kw_only=True)
class DistillWeights:
    """How much each term counts beside the detector's own loss.

    - `classes`, `boxes`: of the outputs, where rows are comparable;
    - `features`: of the maps that the heads read, each row counted as one matched box;
    - `temperature`: of softmaxes that are compared;
    - `score`: from which on a teacher's detection counts as a box, where rows are not comparable.
    """

    classes: float = 1.0
    boxes: float = 1.0
    features: float = 0.0
    temperature: float = 2.0
    score: float = 0.5


def load_teacher(path: str, student: Detector) -> Detector:
    """Read a teacher in evaluation mode, without gradients; its classes must be the student's."""
    teacher = Detector.load(Path(path), device=student.device)
    if tuple(teacher.classes) != tuple(student.classes):
        raise ValueError(
            f"`teacher` must have the student's classes in the same order, "
            f"{', '.join(student.classes)}; {path} has {', '.join(teacher.classes)}."
        )
    return teacher.eval().requires_grad_(requires_grad=False)


@contextmanager
def taught_by(
    teacher: Detector, weights: DistillWeights, without: Teaching = PLAIN
) -> Generator[Teaching]:
    """Give what training with a loaded teacher takes, on top of what it takes without one.

    Student and teacher are watched until the end of the `with` block.
    """
    adapters = Adapters()
    made: list[DistilledCriterion] = []

    def criterion(student: Detector) -> DistilledCriterion:
        made.append(
            DistilledCriterion(
                own=without.criterion(student),
                student=student,
                teacher=teacher,
                weights=weights,
                adapters=adapters,
            )
        )
        return made[-1]

    def after_step(state: TrainState) -> None:
        adapters.step()
        without.after_step(state)

    try:
        yield Teaching(criterion=criterion, after_step=after_step)
    finally:
        for one in made:
            one.close()


@dataclass(frozen=True, kw_only=True, eq=False)
class TaughtTargets:
    """The targets of the student's own criterion, and the teacher's outputs and maps."""

    own: Any
    outputs: RawOutputs
    maps: list[Tensor]


@dataclass(kw_only=True, eq=False)
class DistilledCriterion:
    """The student's own criterion, and the distance from the teacher.

    The teacher reads the same pixels, normalised as it was trained, at the student's input size.
    Its rows are compared where they speak of the same places; where they do not, its sure
    detections count as boxes, beside those that people drew.
    """

    own: Criterion
    student: Detector
    teacher: Detector
    weights: DistillWeights
    adapters: Adapters
    _seen_by_student: HeadInputs = field(init=False)
    _seen_by_teacher: HeadInputs = field(init=False)

    def __post_init__(self) -> None:
        self._seen_by_student = HeadInputs(self.student)
        self._seen_by_teacher = HeadInputs(self.teacher)

    def close(self) -> None:
        """Stop watching student and teacher."""
        self._seen_by_student.close()
        self._seen_by_teacher.close()

    def targets(self, batch: Batch) -> TaughtTargets:
        with torch.no_grad():
            outputs = self.teacher(self.teacher.preprocess(batch.images))
        maps = self._seen_by_teacher.maps
        if not self._speaks_as_student(outputs):
            size = (int(batch.images.shape[-2]), int(batch.images.shape[-1]))
            batch = with_detections(batch, self._detections(outputs, size))
        return TaughtTargets(own=self.own.targets(batch), outputs=outputs, maps=maps)

    def expected_divisor(self, targets: TaughtTargets) -> Tensor:
        return self.own.expected_divisor(targets.own)

    def __call__(self, predictions: RawOutputs, targets: TaughtTargets) -> LossTerms:
        terms = self.own(predictions, targets.own)
        taught = torch.zeros_like(terms.classification)
        if are_comparable(predictions, targets.outputs):
            classes, boxes = output_terms(
                predictions, targets.outputs, temperature=self.weights.temperature
            )
            taught = taught + self.weights.classes * classes + self.weights.boxes * boxes
        if self.weights.features:
            distance = self.adapters.term(self._seen_by_student.maps, targets.maps)
            # Everything is divided by the step's matched boxes, and this is a mean already.
            matched = terms.divisor.mean().clamp(min=1)
            taught = taught + self.weights.features * distance * matched
        return replace(terms, distillation=taught)

    def perfect(self, targets: TaughtTargets, *, num_classes: int) -> RawOutputs:
        return self.own.perfect(targets.own, num_classes=num_classes)

    def _speaks_as_student(self, outputs: RawOutputs) -> bool:
        places = self.student.places_cxcywh
        same_code = type(self.student.box_coder) is type(self.teacher.box_coder)
        same_shape = outputs.places_cxcywh.shape == places.shape
        if not (same_code and same_shape and self.student.box_coder == self.teacher.box_coder):
            return False
        return torch.allclose(outputs.places_cxcywh, places, atol=1e-3)

    def _detections(self, outputs: RawOutputs, size: tuple[int, int]) -> list[Detections]:
        settings = DecodeSettings(score_threshold=self.weights.score)
        return self.teacher.decode(outputs, settings, input_size=size)
