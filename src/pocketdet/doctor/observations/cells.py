"""From which cell of which map every output value comes, by what moves the values afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from pocketdet.doctor.layout import MOVING, POINTWISE, moved
from pocketdet.doctor.observations.places import are_alike
from pocketdet.doctor.trace import Op, Trace, Value

BY_CELL = POINTWISE | {"_softmax", "softplus", "rsub"}

MAP_AXES = 4  # (b, c, h, w)
MOST_VALUES = 4_000_000  # of a map; tags of a larger one take too long


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """The values of one sample's flattened output.

    - `middles`: (values, 2), x and y of the cell's middle, from 0 to 1 over its map;
    - `is_raster`: whether each row's values are of one cell, rows go through a map line by line,
      and maps follow each other by size.
    """

    middles: Tensor
    is_raster: bool


def cells(trace: Trace) -> dict[str, Cells]:
    """Tag each convolution's values by their cells, and move the tags as the values move."""
    images = [v.shape[2:] for v in trace.inputs.values() if len(v.shape) == MAP_AXES]
    image = images[0] if images else (1, 1)
    tags: dict[int, Tensor] = {}
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    for op in trace.forward_ops:
        if op.index in to_outputs:
            for value, tag in zip(op.outputs, _tags(op, tags, (image[0], image[1])), strict=False):
                tags[id(value)] = tag
    return {
        path: found
        for path, value in trace.outputs.items()
        if id(value) in tags and (found := _cells(tags[id(value)])) is not None
    }


def _tags(op: Op, tags: dict[int, Tensor], image: tuple[int, int]) -> list[Tensor]:
    """Give a number for each value of a result: its map and its cell, -1 for what is of none."""
    made = op.outputs[0] if op.outputs else None
    if made is None or not made.is_float or made.numel > MOST_VALUES:
        return []
    if op.name == "convolution":
        is_map = len(made.shape) == MAP_AXES and are_alike((made.shape[2], made.shape[3]), image)
        return [_fresh(made)] if is_map else []
    known = [v for v in op.inputs if id(v) in tags]
    if op.name in ("cat", "stack") and known and len(known) == len(op.inputs):
        joined = torch.cat if op.name == "cat" else torch.stack
        return [joined([tags[id(v)] for v in op.inputs], int(op.argument("dim")))]
    if op.name in MOVING and known and op.inputs[0] is known[0]:
        return moved(op, known[0], tags[id(known[0])])
    if op.name in BY_CELL:
        same = [tags[id(v)] for v in known if v.shape == made.shape]
        return same[:1]
    return []


def _fresh(value: Value) -> Tensor:
    """Give each value its map's size and its cell, packed into one number."""
    _, _, height, width = value.shape
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    lines = (y[:, None].double() * FINE).floor() * FINE + (x.double() * FINE).floor()
    packed = height * width * WIDE + lines
    return packed.expand(value.shape).clone()


FINE = 4096.0  # steps across a map; two of them and a map's size fit into one number
WIDE = FINE * FINE


def _cells(tag: Tensor) -> Cells | None:
    one = tag[0].double()
    flat = one.flatten()
    size = (flat / WIDE).floor()
    within = flat - size * WIDE
    y = (within / FINE).floor()
    x = within - y * FINE
    middles = torch.stack([(x + 0.5) / FINE, (y + 0.5) / FINE], 1)
    return Cells(middles=middles, is_raster=one.ndim == 3 or _is_raster(one))


def _is_raster(rows: Tensor) -> bool:
    if rows.ndim > 2:
        return False
    if rows.ndim == 2:
        channels = 0 if rows.shape[0] < rows.shape[1] else 1
        rows = rows.movedim(channels, -1)
        if not bool((rows == rows[:, :1]).all()):
            return False
        rows = rows[:, 0]
    return all(bool((level.diff() >= 0).all()) for level in _levels(rows)) and _by_size(rows)


def _levels(rows: Tensor) -> Iterator[Tensor]:
    sizes = (rows / WIDE).floor()
    starts = [0, *((sizes.diff() != 0).nonzero()[:, 0] + 1).tolist(), len(rows)]
    for start, end in pairwise(starts):
        yield rows[start:end]


def _by_size(rows: Tensor) -> bool:
    sizes = (rows / WIDE).floor().diff()
    return bool((sizes >= 0).all() or (sizes <= 0).all())
