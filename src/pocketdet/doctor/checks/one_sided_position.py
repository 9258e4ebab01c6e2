"""An embedding of places that tells columns apart and not rows, or rows and not columns.

## What it finds
Features of a map, or tokens of one, that are given numbers which do not depend on the image: an
embedding of their places. It reports one that varies along one side of the map only, while no other
one in the network varies along the other side.

## Why it costs AP
To an attention all places of a line are one place. Boxes are right in x and vague in y, or the
other way round, and the loss still falls.

## Usual causes
- The sines of one axis twice: `torch.cat((px, px), -1)` for `(py, px)`.
- A table of columns taken for rows: `row.weight[x]` in both halves.
- A sum over the wrong axis of a mask: `cumsum(2)` for both.

## When it is not a fault
Sides of less than four places, maps of one line, as of text, and numbers that are the same in all
channels, as a window's, are left alone. Embeddings of rows and of columns may be added apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity, SourceLine
from pocketdet.doctor.trace import Op, Run, Trace, Value, lockstep

JOINS = ("add", "add_", "cat", "mul")
LEAST_SIDE, LEAST_CHANNELS = 4, 4
STILL = 1e-5  # of the embedding's spread
MAP_AXES = 4  # (b, c, h, w); tokens have one axis less


@dataclass(frozen=True, kw_only=True, eq=False)
class _Joined:
    """An operator that gives features an embedding; `sides`: along which it varies, y and x."""

    op: Op
    value: Value
    sides: tuple[bool, bool]
    size: tuple[int, int]


def find_one_sided_positions(trace: Trace) -> Iterator[Fault]:
    found = list(_joined(trace))
    if any(all(one.sides) for one in found) or len({one.sides for one in found}) > 1:
        return
    for one in found[:1]:
        which, other = ("columns", "rows") if one.sides[1] else ("rows", "columns")
        yield Fault(
            where=one.op.where or "",
            source=_source(one),
            evidence=f"The {'×'.join(map(str, one.value.shape))} embedding that `{one.op.name}` in "
            f"`{one.op.where or 'the model'}` gives the {one.size[0]}×{one.size[1]} places differs "
            f"from one of the {which} to the next, and is the same in all {other}.",
            measured={"along_y": one.sides[0], "along_x": one.sides[1]},
            at=one.op.index,
        )


def _source(one: _Joined) -> SourceLine | None:
    """Give the line that made the embedding, the last that joined its parts if there is one."""
    maker = one.value.producer
    while maker is not None and maker.name not in ("cat", "stack", "add", "embedding"):
        inputs = [v for v in maker.inputs if v.producer is not None]
        maker = inputs[0].producer if inputs else None
    return maker.source if maker is not None and maker.source else one.op.source


def _joined(trace: Trace) -> Iterator[_Joined]:
    candidates = dict(_candidates(trace))
    if not candidates:
        return
    sizes = _map_sizes(trace)
    kept: dict[int, Tensor] = {}
    wanted = {value.slot for value in candidates.values()}
    run = Run(trace)
    kept |= {slot: tensor for slot, tensor in run.tensors.items() if slot in wanted}
    for op, results in lockstep(trace, [run]):
        for value, tensor in zip(op.outputs, results[0], strict=False):
            if value.slot in wanted:
                kept[value.slot] = tensor.clone()
    for index, value in candidates.items():
        judged = _judged(kept[value.slot], sizes) if value.slot in kept else None
        if judged is not None:
            yield _Joined(op=trace.ops[index], value=value, sides=judged[0], size=judged[1])


def _candidates(trace: Trace) -> Iterator[tuple[int, Value]]:
    images = [v for v in trace.inputs.values() if v.is_float]
    reached = trace.follows_from(images)
    starts = {id(v) for v in images}
    for op in trace.named(*JOINS):
        if op.index not in reached or len(op.inputs) < 2:
            continue
        for value in op.inputs:
            is_fixed = value.producer is None or value.producer.index not in reached
            is_long = value.is_float and len(value.shape) in (MAP_AXES - 1, MAP_AXES)
            if is_fixed and is_long and id(value) not in starts and value.kind != "parameter":
                yield op.index, value


def _map_sizes(trace: Trace) -> list[tuple[int, int]]:
    shapes = [op.outputs[0].shape for op in trace.named("convolution")]
    shapes = [shape[-2:] for shape in shapes if len(shape) == MAP_AXES]
    return list(dict.fromkeys((h, w) for h, w in shapes if min(h, w) >= LEAST_SIDE))


def _judged(
    value: Tensor, sizes: list[tuple[int, int]]
) -> tuple[tuple[bool, bool], tuple[int, int]] | None:
    """Say along which sides an embedding varies; None for what is no embedding of a map's."""
    for height, width in sizes:
        for grid in _as_grids(value, height, width):
            by_channel = grid.flatten(0, 1)
            spread = float(by_channel.std())
            if not spread > 0 or by_channel.shape[1] < LEAST_CHANNELS:
                continue
            if float((by_channel - by_channel[:, :1]).abs().amax()) <= STILL * spread:
                continue  # one number a place, as of a window
            moves_y = float((grid - grid[:1]).abs().amax()) > STILL * spread
            moves_x = float((grid - grid[:, :1]).abs().amax()) > STILL * spread
            if moves_y or moves_x:
                return (moves_y, moves_x), (height, width)
    return None


def _as_grids(value: Tensor, height: int, width: int) -> Iterator[Tensor]:
    """Read one sample as (height, width, channels), in the ways in which its axes can be."""
    shape = tuple(value.shape)
    if len(shape) == MAP_AXES and shape[2:] == (height, width):
        yield value[0].movedim(0, -1)
    elif len(shape) == MAP_AXES and shape[1:3] == (height, width):
        yield value[0]
    elif len(shape) == MAP_AXES - 1 and shape[1] == height * width:
        yield value[0].reshape(height, width, -1)
    elif len(shape) == MAP_AXES - 1 and shape[0] == height * width:
        yield value[:, 0].reshape(height, width, -1)


CHECK = Check(
    id="one-sided-position",
    summary="an embedding of places that varies along one side only",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Give half of the channels to y and half to x, and plot one channel of each half as a "
    "picture: one must change from row to row, the other from column to column.",
    find=find_one_sided_positions,
)
