"""Which cell answers for which box: by what the cells themselves predict.

Task-aligned assignment (Feng et al. 2021, arXiv 2108.07755, section 3.2). The alignment of a cell
with a box is score^α · IoU^β, both of its own prediction. A box gets the `CANDIDATES` cells with
the highest alignment among those whose centre it holds; a cell that several boxes chose
answers for the one that its prediction overlaps most. What it should score is its alignment,
normalised so that the best cell of a box should score the best IoU of its cells.

Decided differently here:

- a cell from which the head cannot state the box at all is no candidate;
- a box that is left with no cell gets one of its own: its best candidate or, where it holds no
  centre, the nearest cell that can state it. It should score at least `LEAST_QUALITY`, since
  something must pull an object that nothing overlaps yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.conventions import pairwise_iou
from pocketdet.model import DistanceCoder
from pocketdet.train.targets import refuse_boxes_without_area

SCORE_POWER, IOU_POWER, CANDIDATES = 1.0, 6.0, 13  # α, β and m of the paper
LEAST_QUALITY = 0.1
NEARNESS = 1e-3  # of a pixel's distance against a cell's: decides only between cells that can


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledBoxes:
    """The boxes of a batch, padded to (b, n, 4), n at least 1; `present` is (b, n)."""

    boxes_xyxy: Tensor
    labels: Tensor
    present: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class AlignedTargets:
    """What each cell should say.

    - `quality`: (b, p) in [0, 1], what it should score for its box's class;
    - `labels`: (b, p) int64 and `boxes_xyxy`: (b, p, 4), of its box;
    - `matched`: (b, p), whether it answers for a box; the rest is only meant where it does.
    """

    quality: Tensor
    labels: Tensor
    boxes_xyxy: Tensor
    matched: Tensor


def pad_boxes(boxes_xyxy: Sequence[Tensor], labels: Sequence[Tensor]) -> LabelledBoxes:
    """Put the boxes of several images into one tensor; `ValueError` for one without area."""
    refuse_boxes_without_area(boxes_xyxy)
    device = boxes_xyxy[0].device
    counts = torch.tensor([len(boxes) for boxes in boxes_xyxy], device=device)
    most = max(1, *(len(boxes) for boxes in boxes_xyxy))
    padded_boxes = boxes_xyxy[0].new_zeros(len(boxes_xyxy), most, 4)
    padded_labels = labels[0].new_zeros(len(labels), most)
    for image, (boxes, of_boxes) in enumerate(zip(boxes_xyxy, labels, strict=True)):
        padded_boxes[image, : len(boxes)] = boxes
        padded_labels[image, : len(boxes)] = of_boxes
    return LabelledBoxes(
        boxes_xyxy=padded_boxes,
        labels=padded_labels,
        present=torch.arange(most, device=device) < counts[:, None],
    )


@torch.no_grad()
def assign_aligned(
    scores: Tensor,
    predicted_xyxy: Tensor,
    cells_cxcywh: Tensor,
    labelled: LabelledBoxes,
    *,
    box_coder: DistanceCoder,
) -> AlignedTargets:
    """Assign boxes to cells by their scores (b, p, num_classes) and predicted boxes (b, p, 4)."""
    boxes, present = labelled.boxes_xyxy, labelled.present
    iou = pairwise_iou(boxes, predicted_xyxy).nan_to_num(0.0)
    of_class = scores.transpose(1, 2).gather(
        1, labelled.labels[..., None].expand(-1, -1, scores.shape[1])
    )
    distances = box_coder.encode(boxes[:, :, None], cells_cxcywh)
    can = (distances.amin(-1) > 0) & (distances.amax(-1) <= box_coder.highest)
    aligned = (of_class**SCORE_POWER * iou**IOU_POWER).nan_to_num(0.0)
    aligned = aligned * (can & present[..., None])

    cost = _cost(distances, boxes, cells_cxcywh, box_coder)
    cell_box, matched, forced = _match(aligned, iou, cost, present)
    image = torch.arange(len(boxes), device=boxes.device)[:, None]
    return AlignedTargets(
        quality=_quality(aligned, iou, cell_box, matched, forced),
        labels=labelled.labels[image, cell_box],
        boxes_xyxy=boxes[image, cell_box],
        matched=matched,
    )


def _match(
    aligned: Tensor, iou: Tensor, cost: Tensor, present: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Give, for each cell (b, p), its box, whether it has one, and whether that was forced."""
    order = aligned.argsort(dim=2, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(
        2, order, torch.arange(aligned.shape[2], device=aligned.device).expand_as(order)
    )
    chosen = (rank < CANDIDATES) & (aligned > 0)
    cell_box = torch.where(chosen, iou, -1.0).argmax(dim=1)
    matched = chosen.any(dim=1)

    has_cell = _by_box(cell_box, matched, like=aligned).any(dim=2)
    best = torch.where(aligned.amax(2) > 0, aligned.argmax(2), cost.argmin(2))
    forced = torch.zeros_like(matched)
    image, box = (present & ~has_cell).nonzero(as_tuple=True)
    cell_box[image, best[image, box]] = box
    matched[image, best[image, box]] = True
    forced[image, best[image, box]] = True
    return cell_box, matched, forced


def _by_box(cell_box: Tensor, matched: Tensor, *, like: Tensor) -> Tensor:
    """Mark the cells of each box, as a (b, n, p) mask."""
    mask = torch.zeros_like(like, dtype=torch.bool)
    return mask.scatter_(1, cell_box[:, None], matched[:, None])


def _cost(
    distances: Tensor, boxes_xyxy: Tensor, cells_cxcywh: Tensor, box_coder: DistanceCoder
) -> Tensor:
    """Say how ill a cell (b, n, p) can state a box that holds no centre, or none in reach."""
    centre = (boxes_xyxy[..., :2] + boxes_xyxy[..., 2:]) / 2
    far = torch.cdist(centre, cells_cxcywh[:, :2].expand(len(centre), -1, -1))
    too_short = (box_coder.lowest - distances.amin(-1)).clamp(min=0)
    too_long = (distances.amax(-1) - box_coder.highest).clamp(min=0)
    return too_short + too_long + NEARNESS * far


def _quality(
    aligned: Tensor, iou: Tensor, cell_box: Tensor, matched: Tensor, forced: Tensor
) -> Tensor:
    """Normalise each box's alignments: the largest becomes the largest IoU of its cells."""
    own = _by_box(cell_box, matched, like=aligned)
    aligned, iou = aligned * own, iou * own
    largest = aligned.amax(dim=2, keepdim=True)
    share = aligned / torch.where(largest > 0, largest, 1.0)
    quality = (share * iou.amax(dim=2, keepdim=True)).gather(1, cell_box[:, None])[:, 0]
    return torch.where(forced, quality.clamp(min=LEAST_QUALITY), quality)
