"""Which evaluation was the best, and whether a better one is still to be hoped for."""

from collections.abc import Mapping, Sequence
import math

SCORE = "ap"
"""The figure that chooses the best epoch: COCO's AP."""


def scores(history: Sequence[Mapping[str, float]]) -> list[float]:
    """Give the AP of each evaluation; one that had nothing to score (NaN) counts as 0."""
    found = [row[SCORE] for row in history if SCORE in row]
    return [0.0 if math.isnan(score) else score for score in found]


def last_is_best(history: Sequence[Mapping[str, float]]) -> bool:
    """Say whether the last epoch was evaluated and is better than all before it."""
    if not history or SCORE not in history[-1]:
        return False
    *before, last = scores(history)
    return all(last > score for score in before)


def has_stopped_improving(history: Sequence[Mapping[str, float]], *, patience: int | None) -> bool:
    """Say whether the last `patience` evaluations were all no better than one before them."""
    found = scores(history)
    if patience is None or len(found) <= patience:
        return False
    return max(found[-patience:]) <= max(found[:-patience])
