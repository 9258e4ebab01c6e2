"""Overlap, suppression and average precision: what every host here measures itself by."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seeded.scenes import Scene


@dataclass(frozen=True, kw_only=True)
class Found:
    """Detections in one image: `boxes_xyxy` (n, 4) pixels, `scores` (n,), `labels` (n,)."""

    boxes_xyxy: Tensor
    scores: Tensor
    labels: Tensor


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes (n, 4) with boxes (m, 4), all xyxy -> (n, m)."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(-1) for x in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None] - shared).clamp(min=1e-6)


def suppress(boxes: Tensor, scores: Tensor, labels: Tensor, *, most: int = 40) -> Found:
    """Greedy suppression within each class at IoU 0.5; the `most` best stay."""
    order = scores.argsort(descending=True)[:200]
    boxes, scores, labels = boxes[order], scores[order], labels[order]
    clash = (overlap(boxes, boxes) > 0.5) & (labels[:, None] == labels[None])
    keep = torch.ones(len(boxes), dtype=torch.bool)
    for i in range(len(boxes)):
        if keep[i]:
            keep[i + 1 :] &= ~clash[i, i + 1 :]
    kept = keep.nonzero()[:most, 0]
    return Found(boxes_xyxy=boxes[kept], scores=scores[kept], labels=labels[kept])


def average_precision(found: Sequence[Found], scenes: Sequence[Scene]) -> float:
    """Mean over the classes present and over IoU .5 and .75 of the area under precision/recall."""
    classes = sorted({int(label) for scene in scenes for label in scene.labels})
    values = [
        _one_class(found, scenes, label, threshold)
        for label in classes
        for threshold in (0.5, 0.75)
    ]
    return sum(values) / max(len(values), 1)


def _one_class(
    found: Sequence[Found], scenes: Sequence[Scene], label: int, threshold: float
) -> float:
    hits: list[tuple[float, bool]] = []
    total = 0
    for detections, scene in zip(found, scenes, strict=True):
        truth = scene.boxes_xyxy[scene.labels == label]
        total += len(truth)
        mine = detections.labels == label
        scores, order = detections.scores[mine].sort(descending=True)
        overlaps = overlap(detections.boxes_xyxy[mine][order], truth)
        taken: set[int] = set()
        for score, row in zip(scores.tolist(), overlaps, strict=True):
            best = int(row.argmax()) if len(truth) else -1
            hit = best >= 0 and float(row[best]) >= threshold and best not in taken
            if hit:
                taken.add(best)
            hits.append((score, hit))
    return _area(hits, total)


def _area(hits: list[tuple[float, bool]], total: int) -> float:
    if not hits or not total:
        return 0.0
    right = torch.tensor([hit for _, hit in sorted(hits, key=lambda h: -h[0])]).float().cumsum(0)
    precision = right / torch.arange(1, len(hits) + 1)
    precision = precision.flip(0).cummax(0).values.flip(0)
    recall = torch.cat([torch.zeros(1), right / total])
    return float(((recall[1:] - recall[:-1]) * precision).sum())
