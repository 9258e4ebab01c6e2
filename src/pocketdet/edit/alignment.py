"""Align two sequences so that an insertion shifts nothing."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def align(
    before: Sequence[Item], after: Sequence[Item], score: Callable[[Item, Item], float]
) -> list[tuple[int | None, int | None]]:
    """Pair items in order so that the sum of their scores is largest.

    Gives (index before, index after) in order; None stands where an item has no partner. Items
    whose score is 0 are never paired. (Needleman and Wunsch 1970, without a price for gaps.)
    """
    best = [[0.0] * (len(after) + 1) for _ in range(len(before) + 1)]
    scores = [[score(old, new) for new in after] for old in before]
    for i in reversed(range(len(before))):
        for j in reversed(range(len(after))):
            paired = scores[i][j] + best[i + 1][j + 1] if scores[i][j] > 0 else 0.0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        if scores[i][j] > 0 and best[i][j] == scores[i][j] + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    pairs += [(old, None) for old in range(i, len(before))]
    return pairs + [(None, new) for new in range(j, len(after))]
