"""A normalisation over one or two elements, whose result is a constant or ±1.

## What it finds
LayerNorm, GroupNorm and InstanceNorm whose groups hold one or two elements, and divisions by a
norm or a deviation (or subtractions of a mean) that are taken over one: what comes out is 0, or
1 or -1, or the layer's bias, whatever comes in.

## Why it costs AP
All that stands before it is without effect, or only its sign is left; its parameters get no
gradient. Every shape is right.

## Usual causes
- An L2 normalisation over the channels of a map that has one channel.
- A norm with a group for each channel behind a global pooling, where the map is 1×1.
- `F.normalize` on the wrong axis of (batch, 1, features).

## When it is not a fault
The axis has one element for this input only: where it grows with the image, it is told as `info`.
A mean over one element that nothing is divided by, such as a global pooling of a 1×1 map.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.other_sizes import OtherSizes
from pocketdet.doctor.observations.signals import Signal, Signals
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import from_inputs

FEW = 2  # two elements that are centred and scaled are ±1, as one is
LEAST_ELEMENTS = 2  # a result of one element says nothing about axes
REDUCTIONS = frozenset(
    {"mean", "var", "var_mean", "std", "std_mean", "sum", "linalg_vector_norm", "norm", "amax"}
)
JOINS = ("div", "div_", "mul", "mul_", "sub", "sub_")
LEVEL = 1e-3  # of a result's size by which the sizes of its values may differ
STEPS_BACK = 8  # from a division to the reduction that it is by


def find_norms_over_one(trace: Trace, signals: Signals, other_sizes: OtherSizes) -> Iterator[Fault]:
    reached = from_inputs(trace)
    seen: set[tuple[str | None, str]] = set()
    for op in trace.forward_ops:
        if op.index not in reached or not op.outputs or op.outputs[0].numel < LEAST_ELEMENTS:
            continue
        found = _of_a_layer(op) or _of_a_join(op, signals)
        if found is None or (op.where, str(op.source)) in seen:
            continue
        seen.add((op.where, str(op.source)))
        yield _fault(op, *found, trace=trace, other_sizes=other_sizes)


def _of_a_layer(op: Op) -> tuple[Op, int] | None:
    """Give the number of elements that a normalisation layer of torch's goes over, where few."""
    if op.name == "native_layer_norm":
        count = 1
        for size in op.argument("normalized_shape"):
            count *= int(size)
    elif op.name == "native_group_norm":
        groups = int(op.argument("group"))
        count = int(op.argument("C")) * int(op.argument("HxW")) // max(groups, 1)
    else:
        return None
    return (op, count) if count <= FEW else None


def _of_a_join(op: Op, signals: Signals) -> tuple[Op, int] | None:
    """Find x / ‖x‖ and x - mean(x) over one or two elements, by what comes out."""
    if op.name not in JOINS or len(op.inputs) < 2:
        return None
    result = signals.of(op)
    if result is None or not _is_plus_minus(result):
        return None
    for which in (0, 1):
        operand, other = op.inputs[which], op.inputs[1 - which]
        before = signals.of(operand.producer)
        if before is None or _is_plus_minus(before) or before.variety <= 0:
            continue
        reduction = _reduction_behind(other)
        if reduction is not None:
            return reduction, _count(reduction)
    return None


def _is_plus_minus(signal: Signal) -> bool:
    return signal.spread <= LEVEL * signal.size or (signal.most == signal.least == 0)


def _reduction_behind(value: Value) -> Op | None:
    """Find the reduction over few elements that a value was made by."""
    waiting = [(value, 0)]
    while waiting:
        current, steps = waiting.pop()
        op = current.producer
        if op is None or steps > STEPS_BACK:
            continue
        if op.name in REDUCTIONS and _count(op) <= FEW and op.inputs[0].numel > 1:
            return op
        waiting.extend((v, steps + 1) for v in op.inputs if v.kind == "result")
    return None


def _count(op: Op) -> int:
    """Give the number of elements that a reduction takes together."""
    return op.inputs[0].numel // max(op.outputs[0].numel, 1)


def _fault(op: Op, reduction: Op, count: int, *, trace: Trace, other_sizes: OtherSizes) -> Fault:
    grows = any(
        other.ops[reduction.index].inputs[0].numel * reduction.outputs[0].numel
        != reduction.inputs[0].numel * other.ops[reduction.index].outputs[0].numel
        for other in other_sizes.traces
    ) or (op is reduction and _grows(op, other_sizes))
    shape = "×".join(map(str, op.inputs[0].shape))
    behind = trace.parameters_behind(op.inputs[0])
    elements = "one element" if count == 1 else "two elements"
    left = "a constant or a sign" if count == 1 else "a sign"
    severity = Severity.INFO if grows or not behind else None
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"This normalisation of a {shape} map takes {elements} together, so that "
        f"{left} is left of each of its {op.outputs[0].numel:,} values."
        + (f" {len(behind)} parameters stand before it." if behind else "")
        + (" On larger images it takes more together." if grows else ""),
        measured={"shape": list(op.inputs[0].shape), "elements": count, "grows": grows},
        severity=severity,
        at=op.index,
    )


def _grows(op: Op, other_sizes: OtherSizes) -> bool:
    counts = [_of_a_layer(other.ops[op.index]) for other in other_sizes.traces]
    return any(found is None for found in counts)


CHECK = Check(
    id="norm-over-one",
    summary="a normalisation over one or two elements, which leaves a constant or a sign",
    stage=Stage.AXES,
    severity=Severity.ERROR,
    remedy="Normalise over the axis that was meant, or leave the normalisation out where the "
    "map has one place or one channel.",
    find=find_norms_over_one,
    explained_by=("softmax-over-one",),
)
