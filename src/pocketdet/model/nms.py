"""Greedy non-maximum suppression, class by class, without a loop over boxes.

A box is suppressed when a better box that is kept overlaps it by more than the threshold.
Whether a box is kept depends on better boxes only, so `keep = no kept better box overlaps`
has one solution, and iterating it from "all kept" settles the best boxes first and ends there.
"""

import torch
from torch import Tensor

from pocketdet.conventions.boxes import pairwise_iou

BLOCK = 128  # boxes of a group that are settled together
MAX_PAIRS = 1 << 20  # pairs held at once: what a core's cache takes
FIRST_CANDIDATES, MORE_CANDIDATES = 1024, 4096  # how many are looked at, best first


def batched_nms(boxes_xyxy: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """Give the indices of the boxes that survive, best score first.

    `boxes_xyxy` (n, 4), `scores` (n,) and `groups` (n,) int64: boxes of different groups never
    suppress each other. A box goes when its IoU with a kept, better box of its group is above
    `iou_threshold`. Of equal scores the lower index is the better one. Exact: no coordinate
    is shifted to keep groups apart.
    """
    by_score = torch.sort(scores, descending=True, stable=True).indices
    keep = _greedy(boxes_xyxy[by_score].float(), groups[by_score], iou_threshold)
    return by_score[keep]


def detect_per_class(
    boxes_xyxy: Tensor,
    class_scores: Tensor,
    *,
    score_threshold: float,
    iou_threshold: float,
    max_per_class: int,
    max_per_image: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Turn one image's scored boxes into detections: boxes (n, 4), scores (n,), labels (n,).

    `boxes_xyxy` (p, 4) are shared by the classes; `class_scores` (p, c) are in [0, 1] and
    without a background column. The best `max_per_class` boxes of each class that score above
    `score_threshold` go through NMS within their class, and the best `max_per_image`
    survivors are returned, best first. Equal scores: lower label first, then lower prior.
    """
    scores_by_class = class_scores.float().t().contiguous()
    chosen = _best_of_each_row(scores_by_class, score_threshold, max_per_class)
    labels, priors = chosen.nonzero(as_tuple=True)
    scores = scores_by_class[labels, priors]
    by_score = torch.sort(scores, descending=True, stable=True).indices
    best = _best_survivors(
        boxes_xyxy.float()[priors[by_score]], labels[by_score], iou_threshold, max_per_image
    )
    winners = by_score[best]
    return boxes_xyxy[priors[winners]], scores[winners], labels[winners]


def _best_of_each_row(scores: Tensor, threshold: float, count: int) -> Tensor:
    """Mark the `count` best of each row of (c, p) above `threshold`, ties by lower column."""
    chosen = scores > threshold
    full = (chosen.sum(1) > count).nonzero().squeeze(1)
    if len(full):
        crowded = scores[full].masked_fill(~chosen[full], -torch.inf)
        last = crowded.topk(count, sorted=False).values.amin(1, keepdim=True)
        better, equal = crowded > last, crowded == last
        room = count - better.sum(1, keepdim=True)
        chosen[full] = better | (equal & (equal.cumsum(1) <= room))
    return chosen


def _best_survivors(boxes_xyxy: Tensor, groups: Tensor, iou_threshold: float, count: int) -> Tensor:
    """Give the indices of the first `count` survivors of boxes that come best first.

    Better boxes alone decide, so the best are settled first, and the rest only when the
    survivors are too few.
    """
    kept = groups.new_zeros(0)
    first, length = 0, FIRST_CANDIDATES
    while first < len(groups) and len(kept) < count:
        left = torch.arange(first, min(first + length, len(groups)), device=groups.device)
        overlaps = pairwise_iou(boxes_xyxy[kept], boxes_xyxy[left]) > iou_threshold
        hit = (overlaps & (groups[kept, None] == groups[left])).any(dim=0)
        left = left[~hit]
        kept = torch.cat([kept, left[_greedy(boxes_xyxy[left], groups[left], iou_threshold)]])
        first, length = first + length, MORE_CANDIDATES
    return kept[:count]


def _greedy(boxes_xyxy: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """Mark what is kept of boxes (n, 4) that come best first."""
    if not len(groups):
        return torch.zeros(0, dtype=torch.bool, device=groups.device)
    by_group = torch.sort(groups, stable=True).indices
    _, sizes = torch.unique_consecutive(groups[by_group], return_counts=True)
    starts = sizes.cumsum(0) - sizes
    keep = torch.zeros(len(groups), dtype=torch.bool, device=groups.device)
    for rows in _rows_of_like_size(sizes):
        columns = torch.arange(int(sizes[rows].amax()), device=groups.device)
        valid = columns < sizes[rows, None]
        places = by_group[(starts[rows, None] + columns).clamp(max=len(groups) - 1)]
        keep[places[valid]] = _settle(boxes_xyxy[places], valid, iou_threshold)[valid]
    return keep


def _rows_of_like_size(sizes: Tensor) -> list[Tensor]:
    """Split groups so that those padded to one length are at most twice as long as another."""
    order = torch.sort(sizes, descending=True, stable=True).indices
    counts = sizes[order].tolist()
    cuts, first = [], 0
    for row, count in enumerate(counts):
        too_many = (row + 1 - first) * min(counts[first], BLOCK) ** 2 > MAX_PAIRS
        if row > first and (count * 2 < counts[first] or too_many):
            cuts.append(row - first)
            first = row
    return list(order.split([*cuts, len(counts) - first]))


def _settle(boxes_xyxy: Tensor, valid: Tensor, iou_threshold: float) -> Tensor:
    """Mark what is kept of boxes (g, k, 4), each row best first and padded where not valid."""
    keep = valid.clone()
    for start in range(0, keep.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        alive = valid[:, block]
        if start:
            alive = alive & ~_hit_by_kept(
                boxes_xyxy[:, :start], keep[:, :start], boxes_xyxy[:, block], iou_threshold
            )
        inside = boxes_xyxy[:, block]
        overlaps = pairwise_iou(inside, inside) > iou_threshold
        keep[:, block] = _fixed_point(overlaps.float().triu_(1), alive)
    return keep


def _hit_by_kept(
    earlier_xyxy: Tensor, kept: Tensor, block_xyxy: Tensor, iou_threshold: float
) -> Tensor:
    """Mark the boxes (g, b, 4) that a kept one of (g, k, 4) suppresses."""
    most = int(kept.sum(1).amax())
    first = torch.sort(kept, descending=True, stable=True).indices[:, :most]
    kept, rows = kept.gather(1, first), torch.arange(len(kept), device=kept.device)[:, None]
    hit = torch.zeros(block_xyxy.shape[:2], dtype=torch.bool, device=kept.device)
    for start in range(0, most, BLOCK):
        part = first[:, start : start + BLOCK]
        overlaps = pairwise_iou(earlier_xyxy[rows, part], block_xyxy) > iou_threshold
        hit |= _count_hits(overlaps.float(), kept[:, start : start + BLOCK]) > 0
    return hit


def _fixed_point(better_overlaps: Tensor, alive: Tensor) -> Tensor:
    """Solve the greedy rule; `better_overlaps[g, i, j]` is 1 where the better i overlaps j."""
    keep = alive
    while True:
        following = alive & (_count_hits(better_overlaps, keep) == 0)
        if torch.equal(following, keep):
            return keep
        keep = following


def _count_hits(overlaps: Tensor, kept: Tensor) -> Tensor:
    """Count how many kept boxes (g, i) overlap each of (g, j). Whole numbers, so exact."""
    return torch.bmm(kept.float()[:, None], overlaps)[:, 0]
