"""Where every output row looks, beside the box that it claims."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from pocketdet.doctor.look import Look
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.places import Places
from pocketdet.doctor.trace import Trace
from pocketdet.doctor.trace.graph import Value

LOCAL = 0.2  # of the image's side; what looks everywhere has a spread of .29
MOSTLY = 0.6  # of the rows; a few of those that look everywhere seem local by chance


@dataclass(frozen=True, kw_only=True, eq=False)
class RowPlaces:
    """An output's rows.

    - `path`, `value`: of the output; `boxes_xyxy`: (rows, 4) pixels, as claimed;
    - `look`: (rows,), all values and samples of a row together;
    - `height`, `width`: of the image.
    """

    path: str
    value: Value
    boxes_xyxy: Tensor
    look: Look
    height: int
    width: int


def row_places(
    places: Places, trace: Trace, row_boxes: Tensor | Sequence[Tensor]
) -> tuple[RowPlaces, ...]:
    """Match `row_boxes` with the outputs that have so many rows."""
    found = [
        RowPlaces(
            path=path,
            value=trace.outputs[path],
            boxes_xyxy=boxes.detach().double().reshape(-1, 4).cpu(),
            look=look,
            height=places.height,
            width=places.width,
        )
        for path, boxes, look in _matched(places, row_boxes)
    ]
    if not found:
        shapes = ", ".join("×".join(map(str, look.shape)) for look in places.outputs.values())
        raise NotObservable(f"no output has the rows of `row_boxes`; outputs are {shapes}")
    return tuple(found)


def _matched(
    places: Places, row_boxes: Tensor | Sequence[Tensor]
) -> Iterator[tuple[str, Tensor, Look]]:
    if isinstance(row_boxes, Tensor):
        for path, look in places.outputs.items():
            rows = rows_of(look, row_boxes.reshape(-1, 4).shape[0])
            if rows is not None:
                yield path, row_boxes, rows
        return
    left = [boxes.reshape(-1, 4) for boxes in row_boxes]
    for path, look in places.outputs.items():
        for index, boxes in enumerate(left):
            rows = rows_of(look, len(boxes))
            if rows is not None:
                yield path, left.pop(index), rows
                break
        if not left:
            left = [boxes.reshape(-1, 4) for boxes in row_boxes]


def rows_of(look: Look, num_rows: int) -> Look | None:
    """Read an output as rows: (b, rows, k), (b, ..., k), (b, k, rows), (b, k, h, w), (rows, k)."""
    shape = look.shape
    if len(shape) >= 3 and prod(shape[1:-1]) == num_rows:
        return look.summed([0, len(shape) - 1]).reshaped(num_rows)
    if len(shape) >= 3 and prod(shape[2:]) == num_rows:
        return look.summed([0, 1]).reshaped(num_rows)
    if len(shape) == 2 and shape[0] == num_rows:
        return look.summed([1])
    if len(shape) == 2 and shape[1] == num_rows:
        return look.summed([0])
    return None


def is_local(look: Look, height: int, width: int) -> Tensor:
    """Say which rows look at some place; none where most rows look at the whole image; (rows,)."""
    local = (look.spread < LOCAL * (height * width) ** 0.5) & look.is_seeing
    mostly = float(local.sum()) > MOSTLY * float(look.is_seeing.sum())
    return local if mostly else torch.zeros_like(local)


def rows_of_one_size(boxes: Tensor) -> list[Tensor]:
    """Give the indices of rows whose boxes have one size; all rows where sizes are too many."""
    sizes = ((boxes[:, 2:] - boxes[:, :2]) * 4).round()
    distinct, member = sizes.unique(dim=0, return_inverse=True)
    if len(distinct) * 8 > len(boxes):  # boxes cut at the border, or one size a row
        return [torch.arange(len(boxes))]
    return [(member == number).nonzero()[:, 0] for number in range(len(distinct))]
