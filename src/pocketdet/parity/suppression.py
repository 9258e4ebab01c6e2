"""Whether another way of non-maximum suppression explains the boxes of a file that does its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.conventions import DecodeSettings
from pocketdet.parity.boxes import BoxComparison, compare_boxes
from pocketdet.parity.subject import Subject
from pocketdet.runtime import DetectionArrays, DetectionRows
from pocketdet.runtime.decode import clip_boxes, scored_boxes
from pocketdet.runtime.nms import greedy_nms

Choose = Callable[[NDArray[Any], NDArray[Any], DecodeSettings], DetectionArrays]

EXPLAINS = 0.2
"""Of the boxes without a partner: what is left when the true way was tried."""


def suppression_of(
    first: Subject,
    pictures: Sequence[NDArray[Any]],
    found: Sequence[DetectionArrays],
    boxes: BoxComparison,
) -> str:
    """Say how B, which found `found`, suppresses boxes; "" where A's own way explains it best."""
    alone = boxes.missing + boxes.extra
    if not alone or isinstance(first.card.outputs, DetectionRows):
        return ""
    threshold = first.card.detection.iou_threshold
    for says, choose in WAYS.items():
        other = [_detect(first, picture, choose) for picture in pictures]
        left = compare_boxes(other, found, iou_threshold=threshold)
        if left.missing + left.extra <= EXPLAINS * alone:
            return says
    return ""


def _detect(subject: Subject, picture: NDArray[Any], choose: Choose) -> DetectionArrays:
    card = subject.card
    pixels, placement = card.contract.fit_pixels(picture)
    outputs = subject.runner.raw(pixels.transpose(2, 0, 1)[None])
    boxes, scores = scored_boxes(outputs, card)
    inside = clip_boxes(boxes[0], height=card.contract.height, width=card.contract.width)
    chosen = choose(inside, scores[0], card.detection)
    height, width = picture.shape[:2]
    own = clip_boxes(placement.array_to_image(chosen.boxes_xyxy), height=height, width=width)
    return replace(chosen, boxes_xyxy=own)


def _best_classes(
    boxes_xyxy: NDArray[Any], scores: NDArray[Any], settings: DecodeSettings
) -> DetectionArrays:
    places, labels = np.arange(len(scores)), scores.argmax(axis=1)
    return _chosen(boxes_xyxy, scores, settings, places, labels)


def _all_classes(
    boxes_xyxy: NDArray[Any], scores: NDArray[Any], settings: DecodeSettings
) -> DetectionArrays:
    places, labels = np.indices(scores.shape).reshape(2, -1)
    return _chosen(boxes_xyxy, scores, settings, places, labels)


def _unsuppressed(
    boxes_xyxy: NDArray[Any], scores: NDArray[Any], settings: DecodeSettings
) -> DetectionArrays:
    return _all_classes(boxes_xyxy, scores, replace(settings, iou_threshold=1.0))


def _chosen(
    boxes_xyxy: NDArray[Any],
    scores: NDArray[Any],
    settings: DecodeSettings,
    places: NDArray[Any],
    labels: NDArray[Any],
) -> DetectionArrays:
    own = scores[places, labels]
    order = np.argsort(-own, kind="stable")
    order = order[own[order] > settings.score_threshold]
    kept = order[greedy_nms(boxes_xyxy[places[order]], settings.iou_threshold)]
    kept = kept[: settings.max_per_image]
    return DetectionArrays(
        boxes_xyxy=boxes_xyxy[places[kept]], scores=own[kept], labels=labels[kept].astype(np.int64)
    )


WAYS: dict[str, Choose] = {
    "B's NMS runs over all classes at once, and A's within each class": _best_classes,
    "B's NMS runs over all boxes and classes at once, and A's within each class": _all_classes,
    "B suppresses no boxes, and A does": _unsuppressed,
}
