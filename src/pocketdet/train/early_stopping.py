"""Which evaluation was the best, and whether a better one is still to be hoped for."""

from collections.abc import Mapping, Sequence
import math

SCORE = "AP"


def best_score(history: Sequence[Mapping[str, float]]) -> float:
    """Give the best AP so far; minus infinity before the first evaluation."""
    return max((row[SCORE] for row in history if SCORE in row), default=-math.inf)


def has_stopped_improving(
    history: Sequence[Mapping[str, float]], *, patience: int | None
) -> bool:
    """Say whether the last `patience` evaluations were all no better than one before them."""
    scores = [row[SCORE] for row in history if SCORE in row]
    if patience is None or len(scores) <= patience:
        return False
    return max(scores[-patience:]) <= max(scores[:-patience])
