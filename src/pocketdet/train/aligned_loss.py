"""The loss of a head without priors.

Quality focal loss on the scores, and on the boxes GIoU and distribution focal loss (Li et al.
2020, arXiv 2006.04388, equations 4, 6 and 8; λ0 = 2, λ1 = 1/4). As in task-aligned learning (Feng
et al. 2021, arXiv 2108.07755, equations 7 to 9) the quality is the normalised alignment, it also
weighs both terms of the box, and the sum of it over the step is what everything is divided by.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pocketdet.model import DistanceCoder, PointPredictions
from pocketdet.train.aligned_targets import AlignedTargets, LabelledBoxes, assign_aligned
from pocketdet.train.loss import LossTerms

FOCUS = 2.0  # β of equation 4
OVERLAP_WEIGHT, DISTRIBUTION_WEIGHT = 2.0, 0.25  # λ0 and λ1; the latter over the sum of four sides


def aligned_loss(
    predictions: PointPredictions, labelled: LabelledBoxes, *, box_coder: DistanceCoder
) -> LossTerms:
    """Assign boxes to cells, then compare; everything in float32, under autocast too."""
    with torch.autocast(predictions.class_logits.device.type, enabled=False):
        class_logits = predictions.class_logits.float()
        side_logits = predictions.side_logits.float()
        cells = predictions.cells_cxcywh
        boxes_xyxy = box_coder.decode(side_logits, cells)
        targets = assign_aligned(
            class_logits.sigmoid(), boxes_xyxy, cells, labelled, box_coder=box_coder
        )
        quality = quality_focal_loss(class_logits, _wanted_scores(targets, class_logits))
        overlap = 1 - generalized_iou(boxes_xyxy, targets.boxes_xyxy)
        distribution = distribution_focal_loss(
            side_logits, box_coder.encode(targets.boxes_xyxy, cells), box_coder
        )
        of_box = OVERLAP_WEIGHT * overlap + DISTRIBUTION_WEIGHT * distribution.sum(dim=-1)
        of_box = torch.where(targets.matched, targets.quality * of_box, 0.0)
    return LossTerms(
        classification=quality.sum(dim=(1, 2)),
        localization=of_box.sum(dim=1),
        divisor=targets.quality.sum(dim=1),
    )


def _wanted_scores(targets: AlignedTargets, class_logits: Tensor) -> Tensor:
    """Give (b, p, num_classes): the quality at the box's class, 0 elsewhere."""
    quality = torch.where(targets.matched, targets.quality, 0.0)
    wanted = torch.zeros_like(class_logits)
    return wanted.scatter_(-1, targets.labels[..., None], quality[..., None])


def quality_focal_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Compare logits with scores wanted in [0, 1], both of any one shape (equation 4)."""
    distance = (wanted - logits.sigmoid()).abs()
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return distance**FOCUS * cross_entropy


def distribution_focal_loss(
    side_logits: Tensor, distances: Tensor, box_coder: DistanceCoder
) -> Tensor:
    """Compare logits (..., num_bins) with distances (...) in cells (equation 6)."""
    below, share = box_coder.shares(distances)
    log_shares = side_logits.log_softmax(dim=-1)
    at_below = log_shares.gather(-1, below[..., None])[..., 0]
    above = log_shares.gather(-1, below[..., None] + 1)[..., 0]
    return -((1 - share) * at_below + share * above)


def generalized_iou(boxes_xyxy: Tensor, others_xyxy: Tensor) -> Tensor:
    """Give the (...) generalised IoU, in [-1, 1], of boxes (..., 4) (arXiv 1902.09630)."""
    inner_low = torch.maximum(boxes_xyxy[..., :2], others_xyxy[..., :2])
    inner_high = torch.minimum(boxes_xyxy[..., 2:], others_xyxy[..., 2:])
    outer_low = torch.minimum(boxes_xyxy[..., :2], others_xyxy[..., :2])
    outer_high = torch.maximum(boxes_xyxy[..., 2:], others_xyxy[..., 2:])
    inner = (inner_high - inner_low).clamp(min=0).prod(dim=-1)
    outer = (outer_high - outer_low).clamp(min=0).prod(dim=-1).clamp(min=1e-9)
    union = (_area(boxes_xyxy) + _area(others_xyxy) - inner).clamp(min=1e-9)
    return inner / union - (outer - union) / outer


def _area(boxes_xyxy: Tensor) -> Tensor:
    return (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=0).prod(dim=-1)
