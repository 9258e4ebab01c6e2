"""Pascal VOC's average precision, eleven-point and every-point, at any IoU.

Follows the development kit's rules (Everingham et al. 2010, "The PASCAL Visual Object Classes
Challenge", section 4.2; kits of 2007 and 2012): each detection, best score first, asks for
the box of its class and image that it overlaps most. If they overlap by the threshold or more,
the first to ask is right and later ones are wrong; who asks for a difficult box is not counted.
The kit's "+ 1" in widths is not needed: boxes are continuous here (see `conventions.boxes`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
import torch

from pocketdet.conventions import ClassList, Detections, Sample, pairwise_iou

Points = Literal["eleven", "every"]


@dataclass(frozen=True, kw_only=True, eq=False)
class VocMatches:
    """Which box each detection asks for. Detections stand best score first.

    - `labels` (n,): the detections' classes; `iou` (n,): overlap with the box asked for, 0 if
      there is none; `asked_for` (n,): that box's number among all boxes;
    - `ignored` (m,) bool, by box: difficult or crowd; `num_boxes` (c,): the others by class.
    """

    labels: NDArray[Any]
    iou: NDArray[Any]
    asked_for: NDArray[Any]
    ignored: NDArray[Any]
    num_boxes: NDArray[Any]


def voc_matches(
    detections: Sequence[Detections], samples: Sequence[Sample], classes: ClassList
) -> VocMatches:
    """Let each detection choose its box; one entry an image, both in image pixels.

    Of equal scores the earlier image comes first, and in it the earlier detection.
    """
    counts = [len(sample.labels) for sample in samples]
    first_box = np.cumsum([0, *counts])
    asked: list[NDArray[Any]] = []
    overlaps: list[NDArray[Any]] = []
    for found, sample, first in zip(detections, samples, first_box[:-1], strict=True):
        iou, box = _choose(found, sample)
        asked.append(box + first)
        overlaps.append(iou)
    scores = _joined([found.scores.double().numpy() for found in detections], float)
    order = np.argsort(-scores, kind="stable")
    true_labels = _joined([sample.labels.numpy() for sample in samples], int)
    ignored = _joined([(s.difficult | s.crowd).numpy() for s in samples], bool)
    return VocMatches(
        labels=_joined([found.labels.numpy() for found in detections], int)[order],
        iou=_joined(overlaps, float)[order],
        asked_for=_joined(asked, int)[order],
        ignored=ignored,
        num_boxes=np.bincount(true_labels[~ignored], minlength=len(classes)),
    )


def voc_ap(
    matches: VocMatches, *, iou_threshold: float = 0.5, points: Points = "every"
) -> NDArray[Any]:
    """Give each class's average precision (c,) in [0, 1]; NaN for a class without a box.

    `points="eleven"` is VOC2007's mean over the recalls 0, .1, ..., 1; "every" is the area under
    the curve, used from VOC2010 on.
    """
    right, counted = _right_and_counted(matches, iou_threshold)
    average = eleven_point_average if points == "eleven" else area_average
    result = np.full(len(matches.num_boxes), np.nan)
    for label, num_boxes in enumerate(matches.num_boxes):
        if num_boxes:
            mine = counted & (matches.labels == label)
            true_positives = np.cumsum(right[mine])
            recall = true_positives / num_boxes
            precision = true_positives / np.arange(1, len(true_positives) + 1)
            result[label] = average(recall, precision)
    return result


def eleven_point_average(recall: NDArray[Any], precision: NDArray[Any]) -> float:
    """Average the best precision at recall 0, .1, ..., 1 or more (VOC2007).

    The tenths are the floats of the published evaluators, in which 3 × .1 is just above .3: a
    recall of exactly .3, .6 or .7 does not reach its tenth, and published numbers have this in
    them.
    """
    at_least = recall[None, :] >= np.linspace(0, 1, 11)[:, None]
    return float(np.where(at_least, precision[None, :], 0.0).max(axis=1, initial=0.0).mean())


def area_average(recall: NDArray[Any], precision: NDArray[Any]) -> float:
    """Give the area under the precision envelope (VOC2010 and later)."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def _choose(found: Detections, sample: Sample) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give each detection's overlap with the box it asks for, and that box's place."""
    if not len(found) or not len(sample.labels):
        return np.zeros(len(found)), np.zeros(len(found), dtype=int)
    iou = pairwise_iou(found.boxes_xyxy.double(), sample.boxes_xyxy.double())
    iou = torch.where(found.labels[:, None] == sample.labels, iou, 0.0).numpy()
    box = iou.argmax(axis=1)
    return iou[np.arange(len(box)), box], box


def _right_and_counted(
    matches: VocMatches, iou_threshold: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mark detections (n,) that are right, and those that count at all."""
    hit = (matches.iou >= iou_threshold) & (matches.iou > 0)
    on_ignored = np.zeros_like(hit)
    on_ignored[hit] = matches.ignored[matches.asked_for[hit]]
    wanted = np.flatnonzero(hit & ~on_ignored)
    _, first = np.unique(matches.asked_for[wanted], return_index=True)
    right = np.zeros_like(hit)
    right[wanted[first]] = True
    return right, ~on_ignored


def _joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=kind), *parts]).astype(kind, copy=False)
