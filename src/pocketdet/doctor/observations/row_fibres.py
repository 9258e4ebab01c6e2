"""What lies along the last axis of rows that were made from a map: channels, or places."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.doctor.layout import FOLDING, MOVING, POINTWISE, moved
from pocketdet.doctor.trace import Op, Trace
from pocketdet.doctor.trace.graph import Value

LAST_AXIS_READERS = ("mm", "addmm", "bmm", "baddbmm", "native_layer_norm", "_softmax")
LINES = ("addmm", "mm", "linear")  # their results' last axis is features, all others places
MOST_JOINS = 4
MOST_COLOURS = 4  # of an image with the channels second
MOST_VALUES = 20_000_000  # a larger map is left out: the tags would take too long


@dataclass(frozen=True, kw_only=True, eq=False)
class Fibres:
    """Rows as somebody reads them.

    - `source`: the convolution that made the map, or the linear layer that made the tokens, or the
      first to read the image;
    - `fold`: the operator that made rows of the map, or folded the tokens;
    - `reader`: what reads a row as one place's features, None for an output;
    - `channel`, `place`: for each row and entry, the map's channel and place (row·w + column)
      that the entry is, (..., rows, entries) of one sample;
    - `num_channels`, `height`, `width`: of the map.
    """

    source: Op
    fold: Op
    reader: Op | None
    channel: Tensor
    place: Tensor
    num_channels: int
    height: int
    width: int


def row_fibres(trace: Trace) -> tuple[Fibres, ...]:
    """Follow each layer's values, tagged by channel and place, through what moves them.

    Of a convolution's and of an image's, to rows that are read as one place's features or given
    out; of a linear layer's, to the maps that a convolution reads.
    """
    outputs = {id(value): path for path, value in trace.outputs.items()}
    found: list[Fibres] = []
    for op in trace.named(*LINES):
        if op.outputs[0].numel <= MOST_VALUES and _leads_to_fold(op.outputs[0]):
            found += _followed(op, op.outputs[0], {})
    for op in trace.named("convolution"):
        value = op.outputs[0]
        is_map = len(value.shape) == 4 and value.shape[2] * value.shape[3] > 1
        if is_map and value.numel <= MOST_VALUES and _leads_to_fold(value):
            found += _followed(op, value, outputs)
    for value in trace.inputs.values():
        is_image = len(value.shape) == 4 and value.is_float and value.shape[1] <= MOST_COLOURS
        if is_image and value.numel <= MOST_VALUES and _leads_to_fold(value):
            found += _followed(value.consumers[0], value, {})
    return tuple(found)


def _leads_to_fold(value: Value, depth: int = 8) -> bool:
    if any(op.name in FOLDING for op in value.consumers):
        return True
    passing = [op for op in value.consumers if op.name in MOVING or op.name in POINTWISE]
    return depth > 0 and any(_leads_to_fold(op.outputs[0], depth - 1) for op in passing)


def _followed(source: Op, value: Value, outputs: dict[int, str]) -> Iterator[Fibres]:
    tags = torch.arange(value.numel).reshape(value.shape)
    waiting: list[tuple[Value, Tensor, Op | None]] = [(value, tags, None)]
    seen: set[int] = set()
    while waiting:
        current, tags, fold = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if fold is not None:
            yield from _read((source, value), fold, current, tags, outputs)
        waiting += _next(current, tags, fold, last=source.name in LINES)


def _read(
    origin: tuple[Op, Value], fold: Op, value: Value, tags: Tensor, outputs: dict[int, str]
) -> Iterator[Fibres]:
    """Give the fibres as each reader of a value has them."""
    source, of = origin
    if source.name not in LINES:
        for reader in _readers(value, outputs):
            yield _fibres(source, of, fold, reader, tags)
        return
    for op in value.consumers:
        if len(value.shape) == 4 and _reads_channels(op, value):
            yield _of_line(source, fold, op, tags.movedim(1, -1))


def _reads_channels(op: Op, value: Value) -> bool:
    """Say whether axis 1 is read as channels: by a convolution, or joined with other channels."""
    if op.name == "cat":
        return int(op.argument("dim")) % 4 == 1
    return op.name == "convolution" and op.inputs[0] is value


def _readers(value: Value, outputs: dict[int, str]) -> list[Op | None]:
    """Give what reads the last axis as features, None for an output."""
    is_output = id(value) in outputs or any(
        op.name == "cat" and _reaches_output(op, outputs) for op in value.consumers
    )
    readers: list[Op | None] = list(_last_axis_readers(value))
    return readers + [None] * is_output


def _last_axis_readers(value: Value, depth: int = MOST_JOINS) -> Iterator[Op]:
    """Give what reads the last axis as features, of the value or of what it is joined to."""
    for op in value.consumers:
        if _reads_last_axis(op, value):
            yield op
        elif depth and _joins_rows(op, value, is_joined=depth < MOST_JOINS):
            yield from _last_axis_readers(op.outputs[0], depth - 1)


def _joins_rows(op: Op, value: Value, *, is_joined: bool) -> bool:
    """Say whether rows are joined with others, or joined ones folded, each row as it was."""
    if op.name == "cat":
        return int(op.argument("dim")) % len(value.shape) == 1
    return is_joined and op.name in FOLDING and op.outputs[0].shape[-1:] == value.shape[-1:]


def _next(
    value: Value, tags: Tensor, fold: Op | None, *, last: bool
) -> Iterator[tuple[Value, Tensor, Op | None]]:
    for op in value.consumers:
        if op.name in MOVING and op.inputs[:1] == (value,):
            known = None if last and _is_fold(op) else fold
            for result, then in zip(op.outputs, moved(op, value, tags), strict=False):
                yield result, then, op if known is None and _is_fold(op) else known
        elif _keeps_places(op, value):
            yield op.outputs[0], tags, fold


def _keeps_places(op: Op, value: Value) -> bool:
    if op.name == "native_layer_norm":
        return op.inputs[0] is value and len(op.argument("normalized_shape")) == 1
    return op.name in POINTWISE and op.outputs[0].shape == value.shape


def _is_fold(op: Op) -> bool:
    return op.name in FOLDING and op.outputs[0].shape != op.inputs[0].shape


def _reads_last_axis(op: Op, value: Value) -> bool:
    if op.name not in LAST_AXIS_READERS or len(value.shape) < 2:
        return False
    if op.name == "_softmax":
        return int(op.argument("dim")) % len(value.shape) == len(value.shape) - 1
    return value in op.inputs[: 2 if op.name in ("addmm", "baddbmm") else 1]


def _reaches_output(op: Op, outputs: dict[int, str], depth: int = 6) -> bool:
    """Say whether joined rows are an output, but for what moves or changes single values."""
    for value in op.outputs:
        if id(value) in outputs:
            return True
        for reader in value.consumers:
            passes = reader.name in MOVING or reader.name in POINTWISE or reader.name == "_softmax"
            if depth and passes and _reaches_output(reader, outputs, depth - 1):
                return True
    return False


def _fibres(source: Op, of: Value, fold: Op, reader: Op | None, tags: Tensor) -> Fibres:
    _, channels, height, width = of.shape
    within = tags.remainder(channels * height * width)
    return Fibres(
        source=source,
        fold=fold,
        reader=reader,
        channel=within // (height * width),
        place=within.remainder(height * width),
        num_channels=channels,
        height=height,
        width=width,
    )


def _of_line(source: Op, fold: Op, reader: Op, tags: Tensor) -> Fibres:
    features = source.outputs[0].shape[-1]
    return Fibres(
        source=source,
        fold=fold,
        reader=reader,
        channel=tags.remainder(features),
        place=tags // features,
        num_channels=features,
        height=1,
        width=source.outputs[0].numel // features,
    )
