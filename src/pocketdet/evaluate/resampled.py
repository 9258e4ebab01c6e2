"""Average precision of a set in which images count several times, or not at all.

AP is no mean over images, so that a bootstrap has to compute it anew for each resample. Matching
detections with boxes is done once, by the reference evaluator: it looks at one image at a time.
What is left is counting, for all resamples together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.evaluate.coco import coco_evaluator

RECALLS = np.linspace(0, 1, 101)
ALL_AREAS = [0.0, 1e10]
CHUNK = 2**23  # numbers in one table, 64 MB


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassMatches:
    """One class's detections, best score first: which image each is in, and whether it is right.

    - `image`: (d,) places in the list of samples; `right`, `counted`: (10, d) bool by IoU .50:.95,
      neither right nor wrong where not counted; `num_boxes`: (images,) that are scored.
    """

    image: NDArray[Any]
    right: NDArray[Any]
    counted: NDArray[Any]
    num_boxes: NDArray[Any]


def match_images(
    detections: Sequence[Detections], samples: Sequence[Sample], classes: ClassList
) -> tuple[ClassMatches, ...]:
    """Match as `coco_scores` does, for every class, at all areas and 100 detections a class."""
    evaluator = coco_evaluator(detections, samples, classes)
    parameters = evaluator.params
    parameters.areaRng, parameters.areaRngLbl = [ALL_AREAS], ["all"]
    evaluator.params = parameters
    evaluator.evaluate()
    entries: list[list[dict[str, Any]]] = [[] for _ in classes]
    for entry in evaluator.eval_imgs:
        if entry is not None:
            entries[int(entry["category_id"]) - 1].append(entry)
    return tuple(_class_matches(of_class, len(samples)) for of_class in entries)


def _class_matches(entries: list[dict[str, Any]], num_images: int) -> ClassMatches:
    num_boxes = np.zeros(num_images)
    images, scores, matched, ignored = [], [], [], []
    for entry in entries:
        place = int(entry["image_id"]) - 1
        num_boxes[place] = len(entry["gtIgnore"]) - sum(entry["gtIgnore"])
        number = len(entry["dtScores"])
        images.append(np.full(number, place))
        scores.append(np.array(entry["dtScores"], np.float64))
        matched.append(np.array(entry["dtMatched"], bool).reshape(10, number))
        ignored.append(np.array(entry["dtIgnore"], bool).reshape(10, number))
    order = np.argsort(-np.concatenate([np.zeros(0), *scores]), kind="stable")
    nothing = np.zeros((10, 0), bool)
    right = np.concatenate([nothing, *matched], axis=1)[:, order]
    counted = ~np.concatenate([nothing, *ignored], axis=1)[:, order]
    return ClassMatches(
        image=np.concatenate([np.zeros(0, int), *images])[order],
        right=right & counted,
        counted=counted,
        num_boxes=num_boxes,
    )


def resampled_ap(matches: Sequence[ClassMatches], weights: NDArray[Any]) -> NDArray[Any]:
    """Give AP for each resample, class and IoU: (b, classes, 10), NaN without a box.

    `weights` is (b, images): how often each image is in each resample. With all ones it is the
    reference's AP.
    """
    weights = np.asarray(weights, np.float64)
    return np.stack([_class_ap(of_class, weights) for of_class in matches], axis=1)


def _class_ap(matches: ClassMatches, weights: NDArray[Any]) -> NDArray[Any]:
    size = max(1, CHUNK // max(1, len(matches.image)))
    return np.concatenate(
        [
            _ap_of_chunk(matches, weights[start : start + size])
            for start in range(0, len(weights), size)
        ]
    )


def _ap_of_chunk(matches: ClassMatches, weights: NDArray[Any]) -> NDArray[Any]:
    boxes = weights @ matches.num_boxes
    of_detection = weights[:, matches.image]
    all_counted = bool(matches.counted.all())
    shared = np.cumsum(of_detection, axis=1) if all_counted else None
    result = np.full((len(weights), 10), np.nan)
    scored = boxes > 0
    for level in range(10):
        places = np.flatnonzero(matches.right[level])
        counts = shared
        if counts is None:
            counts = np.cumsum(of_detection * matches.counted[level], axis=1)
        result[scored, level] = _interpolated(
            np.cumsum(of_detection[:, places], axis=1)[scored],
            counts[:, places][scored],
            boxes[scored],
        )
    return result


def _interpolated(right: NDArray[Any], counted: NDArray[Any], boxes: NDArray[Any]) -> NDArray[Any]:
    """Average precision over 101 recalls, from the counts at each right detection, (b, k).

    Between two right detections precision only falls, so that nothing else has to be looked at.
    """
    precision = right / (counted + np.spacing(1))
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, right / boxes[:, None], side="right")
    newly = np.diff(reached, axis=1, prepend=0)
    return (highest * newly).sum(axis=1) / len(RECALLS)
