"""One guilty set: changes that are faulty together, and not if any one of them is left out.

Delta debugging (Zeller and Hildebrandt 2002) asks about every chunk and its complement. Most
faults are single changes, so halving comes first: changes are added in their order, and a binary
search finds the one that tips the balance. It belongs to a guilty set. If it is not guilty alone,
the search goes on for the others among the changes before it. Nothing of this needs more
changes to be worse: between a healthy and a faulty prefix lies one that tips, whatever else does.
Where sets between the two cannot be judged, what is left is cut down by ddmin.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")
IsFaulty = Callable[[tuple[Item, ...]], bool | None]
"""Whether a set is faulty; None where that cannot be said. Asked again, it answers from memory."""


def smallest_guilty_set(changes: Sequence[Item], is_faulty: IsFaulty[Item]) -> tuple[Item, ...]:
    """Give a guilty set among changes that are faulty together, in their order.

    The empty set is known to be healthy. With k members found among n changes that can all be
    judged, `is_faulty` is asked about at most k (⌈log2 n⌉ + 2) different sets.
    """
    order = {change: place for place, change in enumerate(changes)}

    def ordered(items: Sequence[Item]) -> tuple[Item, ...]:
        return tuple(sorted(items, key=order.__getitem__))

    kept: tuple[Item, ...] = ()
    pool = tuple(changes)
    is_resolved = True
    while pool:
        prefixes = [ordered((*kept, *pool[:length])) for length in range(len(pool) + 1)]
        low, high = _tipping(len(pool), lambda length, sets=prefixes: is_faulty(sets[length]))
        is_resolved = is_resolved and high - low == 1
        kept, pool = (*kept, *pool[low:high]), pool[:low]
        if is_faulty(ordered(kept)):
            break
    guilty = ordered(kept)
    return _one_minimal(guilty, is_faulty) if is_resolved else ddmin(guilty, is_faulty)


def most_judgements(num_changes: int) -> int:
    """Bound what finding and taking out one guilty set after another asks, every one guilty.

    It holds where every set can be judged; sets that cannot cost no training.
    """
    if num_changes == 0:
        return 0
    return num_changes * ((num_changes - 1).bit_length() + 3)


def most_for_one(num_changes: int) -> int:
    """Bound what finding a single guilty change asks, and judging the rest without it."""
    return (max(num_changes, 1) - 1).bit_length() + 2


def _tipping(size: int, is_faulty: Callable[[int], bool | None]) -> tuple[int, int]:
    """Find lengths of prefixes between which they become faulty; apart only by what is unknown."""
    low, high = 0, size
    unknown: set[int] = set()
    while True:
        open_to_ask = [n for n in range(low + 1, high) if n not in unknown]
        if not open_to_ask:
            return low, high
        middle = min(open_to_ask, key=lambda n: abs(2 * n - low - high))
        answer = is_faulty(middle)
        if answer is None:
            unknown.add(middle)
        elif answer:
            high = middle
        else:
            low = middle


def _one_minimal(items: tuple[Item, ...], is_faulty: IsFaulty[Item]) -> tuple[Item, ...]:
    for item in items if len(items) > 1 else ():
        smaller = tuple(other for other in items if other != item)
        if is_faulty(smaller):
            return _one_minimal(smaller, is_faulty)
    return items


def ddmin(items: tuple[Item, ...], is_faulty: IsFaulty[Item]) -> tuple[Item, ...]:
    """Cut a faulty set down by chunks and complements until nothing can be left out."""
    num_chunks = 2
    while len(items) > 1:
        chunks = list(_chunks(items, min(num_chunks, len(items))))
        others = [tuple(item for item in items if item not in chunk) for chunk in chunks]
        smaller = next((c for c in [*chunks, *others] if c and is_faulty(c)), None)
        if smaller is not None:
            num_chunks = 2 if smaller in chunks else max(num_chunks - 1, 2)
            items = smaller
        elif num_chunks < len(items):
            num_chunks *= 2
        else:
            break
    return items


def _chunks(items: tuple[Item, ...], number: int) -> Iterator[tuple[Item, ...]]:
    cuts = [len(items) * place // number for place in range(number + 1)]
    for start, stop in pairwise(cuts):
        yield items[start:stop]
