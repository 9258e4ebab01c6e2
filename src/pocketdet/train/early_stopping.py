"""Which evaluation was the best, and whether a better one is still to be hoped for."""

from collections.abc import Mapping, Sequence
import math

SCORE = "ap"
"""The figure that chooses the best epoch: COCO's AP."""


def scores(history: Sequence[Mapping[str, float]]) -> list[float]:
    """Give the AP of each evaluation; one that had nothing to score (NaN) counts as 0."""
    return [_score(row) for row in history if SCORE in row]


def best_epoch(history: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Give the row with the highest AP, of equal ones the first; empty before any evaluation."""
    rows = [row for row in history if SCORE in row]
    return max(rows, key=_score, default={})


def _score(row: Mapping[str, float]) -> float:
    return 0.0 if math.isnan(row[SCORE]) else row[SCORE]


def has_stopped_improving(history: Sequence[Mapping[str, float]], *, patience: int | None) -> bool:
    """Say whether the last `patience` evaluations were all no better than one before them."""
    found = scores(history)
    if patience is None or len(found) <= patience:
        return False
    return max(found[-patience:]) <= max(found[:-patience])
