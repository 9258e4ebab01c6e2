"""A teacher's detections as boxes to learn from."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pocketdet.conventions import Detections
from pocketdet.data.loading.batch import Batch

SAME_OBJECT = 0.5
"""Overlap from which on a detection is of an object that has a drawn box already."""


def with_detections(batch: Batch, detections: Sequence[Detections]) -> Batch:
    """Add detections, in input pixels, to a batch's boxes, unless a drawn box overlaps them."""
    boxes, labels = list[Tensor](), list[Tensor]()
    for own_boxes, own_labels, found in zip(
        batch.boxes_xyxy, batch.labels, detections, strict=True
    ):
        is_new = largest_overlap(found.boxes_xyxy, own_boxes) < SAME_OBJECT
        boxes.append(torch.cat([own_boxes, found.boxes_xyxy[is_new]]))
        labels.append(torch.cat([own_labels, found.labels[is_new]]))
    return replace(
        batch,
        packed_boxes_xyxy=torch.cat(boxes),
        packed_labels=torch.cat(labels),
        counts=tuple(len(entry) for entry in boxes),
    )


def largest_overlap(boxes_xyxy: Tensor, others_xyxy: Tensor) -> Tensor:
    """Give, for each of (n, 4) boxes, its largest IoU with any of (m, 4) others; (n,)."""
    if not len(others_xyxy):
        return boxes_xyxy.new_zeros(len(boxes_xyxy))
    low = torch.maximum(boxes_xyxy[:, None, :2], others_xyxy[None, :, :2])
    high = torch.minimum(boxes_xyxy[:, None, 2:], others_xyxy[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(b[:, 2:] - b[:, :2]).prod(dim=-1) for b in (boxes_xyxy, others_xyxy)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return (shared / union.clamp(min=1e-9)).amax(dim=1)
