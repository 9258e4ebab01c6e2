"""A normalisation along the width or the height of a map, where channels are meant.

## What it finds
LayerNorm over the last axis of a (batch, channels, height, width) map that comes straight from a
convolution; divisions by a norm or deviation, subtractions of a mean and softmaxes used as factors
that are taken along one side of such a map.

## Why it costs AP
Each row (or column) of each channel is made equally strong, so that an object is seen only against
its own row; the number of elements changes with the image, and a LayerNorm's weights are tied to
places.

## Usual causes
- Code for (batch, height, width, channels), or for (batch, places, channels), given a map with the
  channels second: `dim=-1` then is the width.

## When it is not a fault
Pooling along one side (coordinate attention, strip pooling) and attention along rows or columns,
which only average or multiply matrices, are left alone, and so are norms over both sides. A norm
along one side on purpose: allow the check, with that reason.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.layout import maps_of
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import follow
from pocketdet.doctor.trace.origin import MOVING

REDUCTIONS = frozenset(
    {"linalg_vector_norm", "norm", "mean", "var", "std", "var_mean", "sum", "std_mean"}
)
STEPS_TO_JOIN = frozenset({"sqrt", "add", "clamp_min", "clamp", "rsqrt", "expand", "pow", "clone"})
JOINS = frozenset({"div", "div_", "sub", "sub_", "mul", "mul_"})
SIDES = {2: "height", 3: "width"}


def find_norms_along_one_side(trace: Trace) -> Iterator[Fault]:
    maps = maps_of(trace)
    seen: set[tuple[str | None, str]] = set()
    for op in trace.forward_ops:
        if not op.inputs or id(op.inputs[0]) not in maps or (op.where, str(op.source)) in seen:
            continue
        side = _side(op)
        if side is not None and _is_normalising(op, maps):
            seen.add((op.where, str(op.source)))
            yield _fault(op, side)


def _side(op: Op) -> int | None:
    """Give the axis, 2 or 3, where an operator takes one side alone together."""
    if op.name == "native_layer_norm":
        return 3 if len(op.argument("normalized_shape")) == 1 else None
    if op.name == "_softmax":
        axes = [int(op.argument("dim"))]
    elif op.name in REDUCTIONS and any(a.name == "dim" for a in op.overload._schema.arguments):
        axes = op.argument("dim")
    else:
        return None
    axes = [axes] if isinstance(axes, int) else list(axes or [])
    axis = int(axes[0]) % 4 if len(axes) == 1 else None
    return axis if axis in SIDES else None


def _is_normalising(op: Op, maps: set[int]) -> bool:
    if op.name == "native_layer_norm":
        return True
    through = MOVING if op.name == "_softmax" else STEPS_TO_JOIN
    for reader in (r for made in op.outputs for r in follow(made, through)):
        if reader.name not in JOINS or len(reader.inputs) != 2:
            continue
        if op.name == "_softmax":
            return reader.name.startswith("mul")
        origin = _source(op.inputs[0])
        if any(id(v) in maps and _source(v) is origin for v in reader.inputs):
            return reader.name[:3] in ("div", "sub") or _has_root(op)
    return False


def _source(value: Value) -> Value:
    """Give what a value's squares or sizes are of."""
    while value.producer is not None and value.producer.name in (
        "pow",
        "abs",
        "mul",
        "clone",
        "sub",
    ):
        value = value.producer.inputs[0]
    return value


def _has_root(op: Op) -> bool:
    return any(r.name == "rsqrt" for r in follow(op.outputs[0], STEPS_TO_JOIN))


def _fault(op: Op, side: int) -> Fault:
    shape = op.inputs[0].shape
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{op.name}` takes the {shape[side]} places along the {SIDES[side]} of a "
        f"{'×'.join(map(str, shape))} map together, of each channel and each "
        f"{'row' if side == 3 else 'column'} for itself; the channels are axis 1.",
        measured={"shape": list(shape), "axis": side},
        at=op.index,
    )


CHECK = Check(
    id="norm-along-one-side",
    summary="a normalisation along the width or height of a map",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Name the channels' axis (`dim=1` for (b, c, h, w)), or move it to the end first: "
    "`norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)`.",
    find=find_norms_along_one_side,
    explained_by=("squashed-gate", "norm-over-one", "softmax-over-one"),
)
