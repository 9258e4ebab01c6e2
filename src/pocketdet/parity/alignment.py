"""Which result of one graph is which of another: by shape, values and place in the order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUM_SAMPLES = 2048
WEIGHT_OF_ORDER = 0.2
LEAST_LIKENESS = 0.2


def align(first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]]) -> dict[int, int]:
    """Pair results of two graphs; gives places in `second` by places in `first`.

    Within each shape the pairing is the best as a whole (Kuhn 1955, the Hungarian method), where
    a pair counts by the likeness of its values, less the distance of its places in the order.
    """
    pairs: dict[int, int] = {}
    finite = [bool(np.isfinite(values).all()) for values in second]
    for shape in {values.shape for values in first}:
        mine = [place for place, values in enumerate(first) if values.shape == shape]
        other = [p for p, values in enumerate(second) if values.shape == shape and finite[p]]
        if other:
            pairs |= _assign(first, second, mine, other)
    broken = [place for place, is_finite in enumerate(finite) if not is_finite]
    return pairs | _in_order(first, second, pairs, broken)


def _in_order(
    first: Sequence[NDArray[Any]],
    second: Sequence[NDArray[Any]],
    pairs: dict[int, int],
    broken: list[int],
) -> dict[int, int]:
    """Pair what is not finite, and so is like nothing, with the next free result of its shape."""
    added: dict[int, int] = {}
    for place in broken:
        before = [mine for mine, other in (pairs | added).items() if other < place]
        start = max(before, default=-1) + 1
        for mine in range(start, len(first)):
            if mine not in pairs and first[mine].shape == second[place].shape:
                added[mine] = place
                break
    return added


def _assign(
    first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]], mine: list[int], other: list[int]
) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment

    like = _likeness(_samples(first, mine), _samples(second, other))
    places = np.array(mine)[:, None] / len(first), np.array(other)[None] / len(second)
    worth = like - WEIGHT_OF_ORDER * np.abs(places[0] - places[1])
    rows, columns = linear_sum_assignment(-worth)
    return {
        mine[row]: other[column]
        for row, column in zip(rows, columns, strict=True)
        if worth[row, column] > LEAST_LIKENESS or len(mine) == len(other) == 1
    }


def _likeness(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Give (n, m) numbers up to 1: half for correlation, half for how many digits agree.

    Before and after a norm, values correlate by .99 or 1 and are not the same: digits count.
    """
    squares = (first**2).sum(axis=1)[:, None], (second**2).sum(axis=1)[None]
    gaps = np.maximum(squares[0] + squares[1] - 2 * first @ second.T, 0)
    digits = -np.log10(np.clip(gaps / np.maximum(squares[0], 1e-12), 1e-8, 1)) / 8
    return (_centred(first) @ _centred(second).T + digits) / 2


def _centred(rows: NDArray[Any]) -> NDArray[Any]:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _samples(values: Sequence[NDArray[Any]], places: list[int]) -> NDArray[Any]:
    """Give rows of the same places of each array."""
    step = max(1, values[places[0]].size // NUM_SAMPLES)
    if step % 2 == 0:
        step += 1  # maps have even sides: an even step would look at few columns
    rows = [values[place].reshape(-1)[::step] for place in places]
    return np.stack(rows).astype(np.float64)
