"""From a batch to its targets, and from predictions to their loss.

There is one criterion for each kind of raw outputs; `criterion_of` chooses. Both are used in
the same three steps: `targets` of a batch before the forward pass, a call for the loss terms, and
the sum of the terms' divisors, by which the step is divided.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from pocketdet.data.loading.batch import Batch
from pocketdet.model import (
    BoxCoder,
    Detector,
    DistanceCoder,
    PointPredictions,
    Predictions,
    RawOutputs,
)
from pocketdet.train.aligned_loss import aligned_loss
from pocketdet.train.aligned_targets import LabelledBoxes, assign_aligned, pad_boxes
from pocketdet.train.loss import LossTerms, detection_loss
from pocketdet.train.targets import Targets, assign_batch

SURE = 30.0
"""A logit that leaves nothing to any other class."""


class Criterion(Protocol):
    """What a detector is trained to say. Only it can read the `targets` that it makes."""

    def targets(self, batch: Batch) -> Any:
        """Prepare what a batch is compared with; its boxes are in input pixels."""
        ...

    def expected_divisor(self, targets: Any) -> Tensor:
        """Say, before the forward pass, about what the terms' divisors will add up to."""
        ...

    def __call__(self, predictions: Any, targets: Any) -> LossTerms: ...

    def perfect(self, targets: Any, *, num_classes: int) -> RawOutputs:
        """Give raw outputs that state exactly these targets, every one surely."""
        ...


def criterion_of(detector: Detector, *, places_cxcywh: Tensor | None = None) -> Criterion:
    """Give the criterion of a detector's head.

    `places_cxcywh` are those of the raw outputs, where the input is not of the contract's size.
    """
    places = detector.places_cxcywh if places_cxcywh is None else places_cxcywh
    match detector.box_coder:
        case BoxCoder() as coder:
            return PriorCriterion(priors_cxcywh=places, box_coder=coder)
        case DistanceCoder() as coder:
            return PointCriterion(cells_cxcywh=places, box_coder=coder)


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorCriterion:
    """SSD's: boxes are matched with priors by overlap alone."""

    priors_cxcywh: Tensor
    box_coder: BoxCoder
    iou_threshold: float = 0.5

    def targets(self, batch: Batch) -> Targets:
        """Match the boxes of a batch, in input pixels, with the priors."""
        return assign_batch(
            batch.boxes_xyxy,
            batch.labels,
            self.priors_cxcywh,
            box_coder=self.box_coder,
            iou_threshold=self.iou_threshold,
        )

    def expected_divisor(self, targets: Targets) -> Tensor:
        """Count the matched priors, which is exact."""
        return targets.matched.sum().float()

    def __call__(self, predictions: Predictions, targets: Targets) -> LossTerms:
        return detection_loss(predictions.class_logits, predictions.box_deltas, targets)

    def perfect(self, targets: Targets, *, num_classes: int) -> Predictions:
        one_hot = functional.one_hot(targets.classes, 1 + num_classes).float()
        return Predictions(SURE * one_hot, targets.deltas, self.priors_cxcywh)


@dataclass(frozen=True, kw_only=True, eq=False)
class PointCriterion:
    """Task-aligned: which cell answers for which box depends on what the cells predict."""

    cells_cxcywh: Tensor
    box_coder: DistanceCoder

    def targets(self, batch: Batch) -> LabelledBoxes:
        """Pad the boxes of a batch, in input pixels; cells are assigned to them later."""
        return pad_boxes(batch.boxes_xyxy, batch.labels)

    def expected_divisor(self, targets: LabelledBoxes) -> Tensor:
        """Count the boxes: the sum of qualities is known only after the forward pass."""
        return targets.present.sum().float()

    def __call__(self, predictions: PointPredictions, targets: LabelledBoxes) -> LossTerms:
        return aligned_loss(predictions, targets, box_coder=self.box_coder)

    def perfect(self, targets: LabelledBoxes, *, num_classes: int) -> PointPredictions:
        """State each box by the cells that an untrained head's outputs assign to it."""
        cells, coder = self.cells_cxcywh, self.box_coder
        shape = (len(targets.labels), len(cells))
        scores = torch.full((*shape, num_classes), 0.5, device=cells.device)
        at_rest = coder.decode(cells.new_zeros(*shape, 4, coder.num_bins), cells)
        assigned = assign_aligned(scores, at_rest, cells, targets, box_coder=coder)
        one_hot = functional.one_hot(assigned.labels, num_classes) * assigned.matched[..., None]
        distances = coder.encode(assigned.boxes_xyxy, cells)
        return PointPredictions(
            SURE * (2 * one_hot.float() - 1), coder.side_logits(distances), cells
        )
