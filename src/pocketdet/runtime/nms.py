"""Greedy non-maximum suppression in NumPy, with the results of `pocketdet.model.nms`.

Whether a box is kept depends on better boxes only, so `keep = no kept better box overlaps` has one
solution, and iterating it from "all kept" settles the best boxes first and ends there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.conventions.decode_settings import DecodeSettings
from pocketdet.runtime.detections import DetectionArrays

TINY = np.finfo(np.float32).tiny


def detect_per_class(
    boxes_xyxy: NDArray[Any], class_scores: NDArray[Any], settings: DecodeSettings
) -> DetectionArrays:
    """Turn one picture's boxes (p, 4) and scores (p, c), both float32, into its detections.

    The best `max_per_class` boxes of each class above the score threshold go through NMS within
    their class; the best `max_per_image` survivors are given, best first. Equal scores: lower
    label first, then lower place.
    """
    places: list[NDArray[Any]] = []
    labels: list[NDArray[Any]] = []
    above = class_scores > np.float32(settings.score_threshold)
    for label in np.flatnonzero(above.any(axis=0)):
        mine = np.flatnonzero(above[:, label])
        order = np.argsort(-class_scores[mine, label], kind="stable")
        mine = mine[order[: settings.max_per_class]]
        mine = mine[greedy_nms(boxes_xyxy[mine], settings.iou_threshold)]
        places.append(mine)
        labels.append(np.full(len(mine), label, np.int64))
    if not places:
        return DetectionArrays.empty()
    place, label = np.concatenate(places), np.concatenate(labels)
    scores = class_scores[place, label]
    best = np.argsort(-scores, kind="stable")[: settings.max_per_image]
    return DetectionArrays(
        boxes_xyxy=boxes_xyxy[place[best]], scores=scores[best], labels=label[best]
    )


def greedy_nms(boxes_xyxy: NDArray[Any], iou_threshold: float) -> NDArray[np.bool_]:
    """Mark what is kept of boxes (n, 4) that come best first.

    A box goes when its IoU with a kept, better one is above the threshold.
    """
    overlaps = np.triu(pairwise_iou(boxes_xyxy, boxes_xyxy) > np.float32(iou_threshold), 1)
    keep = np.ones(len(boxes_xyxy), np.bool_)
    while True:
        following: NDArray[np.bool_] = ~np.any(overlaps[keep], axis=0, keepdims=False)
        if np.array_equal(following, keep):
            return keep
        keep = following


def pairwise_iou(first_xyxy: NDArray[Any], second_xyxy: NDArray[Any]) -> NDArray[Any]:
    """Give the (n, m) intersection over union, in [0, 1]; without area it is 0."""
    left, top, right, bottom = first_xyxy.T[..., None]
    other_left, other_top, other_right, other_bottom = second_xyxy.T[:, None, :]
    width = np.minimum(right, other_right) - np.maximum(left, other_left)
    height = np.minimum(bottom, other_bottom) - np.maximum(top, other_top)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = _area(first_xyxy)[:, None] + _area(second_xyxy)[None]
    return shared / np.maximum(area - shared, TINY)


def _area(boxes_xyxy: NDArray[Any]) -> NDArray[Any]:
    size = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0)
    return size[:, 0] * size[:, 1]
