"""Distillation as a compression step of its own."""

from dataclasses import dataclass, field

from pocketdet.compress.distill.criterion import DistillWeights, load_teacher, taught_by
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.step import StepResult
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Train a detector on while it also learns from another one of the same classes.

    - `teacher`: a run or a checkpoint, with any parts, head and input size;
    - `epochs`, `learning_rate`: as in `FineTuning`;
    - `weights`: what counts how much; features have a 1×1 adapter for each level.

    Prune and quantize take a `teacher` of their own, for the training that they do anyway.
    """

    teacher: str
    epochs: float = 10.0
    learning_rate: float | None = None
    weights: DistillWeights = field(default_factory=DistillWeights)

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        """Train a copy; raises `ValueError` where the classes differ."""
        teacher = load_teacher(self.teacher, detector)
        length = FineTuning(epochs=self.epochs, learning_rate=self.learning_rate)
        with taught_by(teacher, self.weights) as teaching:
            trained = bench.fine_tune(
                detector,
                length,
                name="distillation",
                criterion=teaching.criterion,
                after_step=teaching.after_step,
            )
        return StepResult(
            detector=trained,
            figures={
                "teacher_ap": bench.evaluate(teacher)["ap"],
                "ap_before": bench.evaluate(detector)["ap"],
            },
        )
