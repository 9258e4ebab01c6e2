"""Channels pooled away together with one side of the map.

## What it finds
A mean, sum or maximum over the channels and one side of a (batch, channels, height, width) map, of
which a layer then takes the other side's places for features.

## Why it costs AP
The layer is given one number for each row or column, and nothing of the channels; its weights are
tied to places, and fit one size of image.

## Usual causes
- `x.mean((1, 2))`, right for (batch, height, width, channels), on a map with the channels second.

## When it is not a fault
Pooling over both sides, over the channels alone (spatial attention) or over one side alone
(coordinate attention), and profiles that no layer reads: these are left alone.
"""

from collections.abc import Iterator
from typing import Any

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.layout import maps_of
from pocketdet.doctor.trace import Op, Trace
from pocketdet.doctor.trace.between import follow
from pocketdet.doctor.trace.origin import MOVING

POOLS = ("mean", "sum", "amax", "amin", "linalg_vector_norm", "logsumexp")
LINES = ("addmm", "mm", "linear", "convolution")
SIDES: dict[tuple[int, ...], str] = {(1, 2): "height", (1, 3): "width"}


def find_pooled_channels(trace: Trace) -> Iterator[Fault]:
    maps = maps_of(trace)
    seen: set[str] = set()
    for op in trace.named(*POOLS):
        if not op.inputs or id(op.inputs[0]) not in maps or str(op.source) in seen:
            continue
        given = op.argument("dim") if len(op.args) > 1 or "dim" in op.kwargs else None
        side = SIDES.get(tuple(sorted(int(a) % 4 for a in _listed(given))))
        if side is None:
            continue
        layers = [r for r in follow(op.outputs[0], MOVING) if r.name in LINES]
        if layers:
            seen.add(str(op.source))
            yield _fault(op, side, layers[0])


def _listed(axes: Any) -> list[int]:
    return list(axes) if isinstance(axes, list | tuple) else []


def _fault(op: Op, side: str, layer: Op) -> Fault:
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{op.name}` takes the channels and the {side} of a "
        f"{'×'.join(map(str, op.inputs[0].shape))} map together, and `{layer.where or layer.name}` "
        "reads what is left, one number for each "
        f"{'column' if side == 'height' else 'row'}, as features.",
        at=op.index,
    )


CHECK = Check(
    id="pooled-channels",
    summary="channels pooled away together with one side of the map",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Pool over the sides: `x.mean((2, 3))` for (b, c, h, w).",
    find=find_pooled_channels,
)
