"""COCO's average precision and recall, by hotcoco, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hotcoco
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from pocketdet.conventions import ClassList, Detections, Sample, xyxy_to_xywh

ALL, SMALL, MEDIUM, LARGE = range(4)
AT_1, AT_10, AT_100 = range(3)
IOU_50, IOU_75 = 0, 5


@dataclass(frozen=True, kw_only=True, eq=False)
class CocoScores:
    """COCO's tables; NaN where there is nothing to score.

    - `precision`: (10 IoU .50:.95, 101 recalls, c classes, 4 areas, 3 numbers of detections);
    - `recall`: (10, c, 4, 3), the highest recall reached.
    """

    precision: NDArray[Any]
    recall: NDArray[Any]

    def numbers(self) -> dict[str, float]:
        """Give COCO's twelve numbers by the names that `Evaluation` has for them."""
        precision, recall = self.precision[..., AT_100], self.recall
        return {
            "ap": mean(precision[..., ALL]),
            "ap50": mean(precision[IOU_50, ..., ALL]),
            "ap75": mean(precision[IOU_75, ..., ALL]),
            "ap_small": mean(precision[..., SMALL]),
            "ap_medium": mean(precision[..., MEDIUM]),
            "ap_large": mean(precision[..., LARGE]),
            "ar_1": mean(recall[..., ALL, AT_1]),
            "ar_10": mean(recall[..., ALL, AT_10]),
            "ar_100": mean(recall[..., ALL, AT_100]),
            "ar_small": mean(recall[..., SMALL, AT_100]),
            "ar_medium": mean(recall[..., MEDIUM, AT_100]),
            "ar_large": mean(recall[..., LARGE, AT_100]),
        }


def mean(values: NDArray[Any]) -> float:
    """Average what was computed; NaN when nothing was."""
    computed = values[~np.isnan(values)]
    return float(computed.mean()) if computed.size else float("nan")


def coco_scores(
    detections: Sequence[Detections], samples: Sequence[Sample], classes: ClassList
) -> CocoScores:
    """Score detections against samples, one entry an image, both in image pixels.

    A crowd counts as COCO's `iscrowd`: detections inside it are neither right nor wrong. COCO has
    no word for VOC's `difficult`, so that counts as a crowd, too: neither wanted nor punished. A
    box is small, medium or large by its own area, since there is no mask.
    """
    if not samples:
        return _nothing_scored(len(classes))
    evaluator = coco_evaluator(detections, samples, classes)
    evaluator.evaluate()
    evaluator.accumulate()
    tables = evaluator.eval or {}
    return CocoScores(
        precision=_nan_for_missing(tables["precision"]),
        recall=_nan_for_missing(tables["recall"]),
    )


def coco_evaluator(
    detections: Sequence[Detections], samples: Sequence[Sample], classes: ClassList
) -> Any:
    """Give the evaluator before it matches anything; its image and class ids count from 1."""
    truth = _ground_truth(samples, classes)
    found = truth.load_res(_detection_rows(detections))
    return hotcoco.COCOeval(truth, found, "bbox")


def _ground_truth(samples: Sequence[Sample], classes: ClassList) -> hotcoco.COCO:
    counts = [len(sample.labels) for sample in samples]
    boxes_xyxy = torch.cat([sample.boxes_xyxy for sample in samples])
    ignored = torch.cat([sample.crowd | sample.difficult for sample in samples])
    images = [
        {"id": place, "height": sample.size[0], "width": sample.size[1]}
        for place, sample in enumerate(samples, start=1)
    ]
    return hotcoco.COCO.from_arrays(
        images,
        [{"id": label, "name": name} for label, name in enumerate(classes, start=1)],
        np.repeat(np.arange(1, len(samples) + 1), counts),
        torch.cat([sample.labels for sample in samples]).numpy() + 1,
        _as_written(boxes_xyxy),
        iscrowd=ignored.numpy(),
    )


def _detection_rows(detections: Sequence[Detections]) -> NDArray[Any]:
    """Give (n, 7) rows of image id, x, y, width, height, score, category id, counted from 1."""
    places = np.repeat(np.arange(1, len(detections) + 1), [len(found) for found in detections])
    boxes_xyxy = torch.cat([found.boxes_xyxy for found in detections])
    scores = torch.cat([found.scores.double() for found in detections])
    labels = torch.cat([found.labels for found in detections])
    return np.column_stack([places, _as_written(boxes_xyxy), scores.numpy(), labels.numpy() + 1])


def _as_written(boxes_xyxy: Tensor) -> NDArray[Any]:
    """Give (n, 4) xywh to a thousandth of a pixel.

    Files give decimals, which float32 holds only nearly; rounding brings them back, so that an
    overlap that is exactly at a threshold is so here as well.
    """
    return xyxy_to_xywh(boxes_xyxy.double()).round(decimals=3).numpy()


def _nan_for_missing(table: NDArray[Any]) -> NDArray[Any]:
    """Mark what was not computed, which COCO writes as -1, as NaN."""
    return np.where(table < 0, np.nan, table)


def _nothing_scored(num_classes: int) -> CocoScores:
    return CocoScores(
        precision=np.full((10, 101, num_classes, 4, 3), np.nan),
        recall=np.full((10, num_classes, 4, 3), np.nan),
    )
