"""Two detectors' boxes, matched one by one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.runtime import DetectionArrays

LEAST_IOU = 0.5
SAME_PX = 0.02
LEAST_SCORE = 0.05  # below it, rank in a long tail decides what is kept


@dataclass(frozen=True, kw_only=True)
class BoxComparison:
    """How the boxes of B lie beside those of A, over all pictures, from a score of .05 on.

    - `matched`: pairs of one class that overlap by at least half; `missing`: of A, not in B;
      `extra`: of B, not in A;
    - `lowest_iou`, `largest_px`, `largest_score`: the worst pair's overlap, distance of a side in
      pixels of the picture, and difference of scores; `mean_iou`: over all pairs;
    - `relabelled`: boxes of A that B has, with another class;
    - `crossed`: missing boxes that a better one of another class overlaps in B.
    """

    matched: int
    missing: int
    extra: int
    mean_iou: float
    lowest_iou: float
    largest_px: float
    largest_score: float
    relabelled: int
    crossed: int

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


def compare_boxes(
    first: Sequence[DetectionArrays], second: Sequence[DetectionArrays], *, iou_threshold: float
) -> BoxComparison:
    """Match each picture's boxes greedily, best score first, within each class."""
    ious: list[float] = []
    sides: list[float] = []
    scores: list[float] = []
    missing = extra = relabelled = crossed = 0
    for all_mine, all_other in zip(first, second, strict=True):
        mine, other = all_mine.above(LEAST_SCORE), all_other.above(LEAST_SCORE)
        overlap = pairwise_iou(mine.boxes_xyxy, all_other.boxes_xyxy)
        same = mine.labels[:, None] == all_other.labels[None]
        pairs = _pairs(np.where(same, overlap, 0))
        for row, column in pairs:
            ious.append(float(overlap[row, column]))
            distance = np.abs(mine.boxes_xyxy[row] - all_other.boxes_xyxy[column])
            sides.append(float(distance.max()))
            scores.append(float(abs(mine.scores[row] - all_other.scores[column])))
        rows = {row for row, _ in pairs}
        lost = [row for row in range(len(mine)) if row not in rows]
        missing += len(lost)
        back = _pairs(
            np.where(
                other.labels[:, None] == all_mine.labels[None],
                pairwise_iou(other.boxes_xyxy, all_mine.boxes_xyxy),
                0,
            )
        )
        extra += len(other) - len(back)
        for row in lost:
            alike = (overlap[row] > 0.95) & (np.abs(all_other.scores - mine.scores[row]) < 0.01)
            relabelled += bool((alike & ~same[row]).any())
            better = all_other.scores > mine.scores[row]
            crossed += bool((~same[row] & better & (overlap[row] > iou_threshold)).any())
    return BoxComparison(
        matched=len(ious),
        missing=missing,
        extra=extra,
        mean_iou=float(np.mean(ious)) if ious else float("nan"),
        lowest_iou=min(ious, default=float("nan")),
        largest_px=max(sides, default=0.0),
        largest_score=max(scores, default=0.0),
        relabelled=relabelled,
        crossed=crossed,
    )


def _pairs(overlap: NDArray[Any]) -> list[tuple[int, int]]:
    """Pair rows, in order, each with the free column that it overlaps most."""
    pairs: list[tuple[int, int]] = []
    free = np.ones(overlap.shape[1], bool)
    for row in range(len(overlap)):
        if not free.any():
            break
        column = int(np.argmax(np.where(free, overlap[row], -1)))
        if overlap[row, column] >= LEAST_IOU:
            pairs.append((row, column))
            free[column] = False
    return pairs


def pairwise_iou(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Give the (n, m) overlaps of xyxy boxes (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=-1) for b in (first, second)]
    overlap = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-12)
    # Two boxes without area overlap by 0 / 0: the same box is the same box.
    return np.where(np.abs(first[:, None] - second[None]).max(axis=-1) < SAME_PX, 1.0, overlap)
