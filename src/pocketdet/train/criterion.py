"""From a batch to its targets, and from predictions to their loss."""

from dataclasses import dataclass

from torch import Tensor

from pocketdet.data.loading.batch import Batch
from pocketdet.model import BoxCoder, Predictions
from pocketdet.train.loss import LossTerms, detection_loss
from pocketdet.train.targets import Targets, assign_batch


@dataclass(frozen=True, kw_only=True, eq=False)
class Criterion:
    """What a detector with these priors is trained to say."""

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

    def __call__(self, predictions: Predictions, targets: Targets) -> LossTerms:
        return detection_loss(predictions.class_logits, predictions.box_deltas, targets)
