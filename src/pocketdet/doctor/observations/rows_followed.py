"""Whether output rows that all see the whole image still look at the boxes that they claim."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from pocketdet.doctor.following import Following, following, pooled, scaled
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.patches import Patches, patches_of
from pocketdet.doctor.observations.row_places import RowPlaces, is_local, rows_of_one_size
from pocketdet.doctor.trace import Trace

LEAST_ROWS = 25


@dataclass(frozen=True, kw_only=True, eq=False)
class RowsFollowed:
    """The rows (n,) of an output whose boxes have one size."""

    output: RowPlaces
    rows: Tensor
    following: Following


def rows_followed(row_places: tuple[RowPlaces, ...], trace: Trace) -> tuple[RowsFollowed, ...]:
    """Compare what rows look at, by patches, with their boxes, where no row looks at a place."""
    unseen = [
        output
        for output in row_places
        if not bool(is_local(output.look, output.height, output.width).any())
    ]
    if not unseen:
        raise NotObservable("the rows look at places, which says more")
    seen = patches_of(trace)
    return tuple(followed for output in unseen for followed in _of(output, seen))


def _of(output: RowPlaces, seen: Patches) -> Iterator[RowsFollowed]:
    answers = seen.answers.get(output.path)
    values = _values_by_row(output.value.shape[1:], len(output.boxes_xyxy))
    if answers is None or values is None:
        return
    every = scaled(answers)
    middles = (output.boxes_xyxy[:, :2] + output.boxes_xyxy[:, 2:]) / 2
    for rows in rows_of_one_size(output.boxes_xyxy):
        if len(rows) < LEAST_ROWS:
            continue
        found = following(pooled(every, list(values[rows])), middles[rows], seen)
        if found is not None:
            yield RowsFollowed(output=output, rows=rows, following=found)


def _values_by_row(shape: tuple[int, ...], num_rows: int) -> Tensor | None:
    """Give the indices (rows, k) in a sample's flattened output, as `rows_of` reads it."""
    index = torch.arange(prod(shape)).reshape(shape)
    if prod(shape[:-1]) == num_rows:
        return index.reshape(num_rows, -1)
    if prod(shape[1:]) == num_rows:
        return index.reshape(shape[0], num_rows).T
    return None
