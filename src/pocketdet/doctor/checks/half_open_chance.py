"""A chance or a gate that can never say less than one half.

## What it finds
A sigmoid of what cannot be negative, such as the result of a ReLU, inside the network; and a
softmax or the loss's cross-entropy over logits that a ReLU made.

## Why it costs AP
A score of .5 is the least that the network can say of any place, so background cannot be told from
objects; a gate that never closes below .5 can only halve. Units that the ReLU holds at 0 get no
gradient, and say .5 for ever.

## Usual causes
- A block with its activation as the last layer before the sigmoid: `sigmoid(relu(conv(x)))`.
- A ReLU in place of the first layer's in a squeeze-and-excitation, `fc2(fc1(x)).relu().sigmoid()`.

## When it is not a fault
Sigmoids of distances or counts without a parameter before them; ReLUs that more layers follow.
Outputs whose sigmoid the loss takes are told by `unreachable-target`.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import follow, from_inputs, reads_parameters
from pocketdet.doctor.trace.origin import MOVING, makers

CUT_AT_ZERO = frozenset({"relu", "relu_", "softplus", "abs"})
CLAMPS = frozenset({"clamp_min", "clamp_min_", "clamp", "clamp_", "hardtanh", "hardtanh_"})
SIGMOIDS = ("sigmoid", "sigmoid_", "hardsigmoid", "hardsigmoid_")
SOFTMAXES = ("_softmax", "_log_softmax")
LEAST_VALUES = 2


def find_half_open_chances(trace: Trace, training_trace: Trace | None = None) -> Iterator[Fault]:
    seen: set[str] = set()
    for one in (trace, training_trace):
        if one is None:
            continue
        for op in one.named(*SIGMOIDS, *SOFTMAXES):
            last = _one_sided(op, one)
            if last is None or str(last.source) in seen:
                continue
            behind = [one.ops[i] for i in one.follows_from(list(op.outputs))]
            is_gate = any(reads_parameters(o) and not o.is_backward for o in behind)
            if op.name in SOFTMAXES and (is_gate or _is_multiplied(op)):
                continue
            if op.where is None and op.name in SIGMOIDS:
                continue  # unreachable-target says so
            seen.add(str(last.source))
            yield _fault(op, last, is_gate=is_gate)


def _one_sided(op: Op, trace: Trace) -> Op | None:
    """Give the activation whose result, 0 or more, is squashed; None where there is none."""
    if not op.inputs or op.inputs[0].numel < LEAST_VALUES or op.index not in from_inputs(trace):
        return None
    sources = list(makers(op.inputs[0]))
    if not sources or not all(_is_cut_at_zero(source) for source in sources):
        return None
    last = max(sources, key=lambda source: source.index)
    is_of_a_layer = last.where is not None and trace.parameters_behind(op.inputs[0])
    return last if is_of_a_layer and _is_weighed(last.inputs[0]) else None


def _is_cut_at_zero(op: Op) -> bool:
    if op.name in CLAMPS:
        least = op.argument("min_val" if "hardtanh" in op.name else "min")
        return isinstance(least, int | float) and least >= 0
    return op.name in CUT_AT_ZERO


def _is_weighed(value: Value) -> bool:
    """Say whether a layer made it, or a norm of one."""
    return any(reads_parameters(source) for source in makers(value))


def _is_multiplied(op: Op) -> bool:
    """Say whether shares are multiplied with values, as an attention's."""
    readers = follow(op.outputs[0], MOVING)
    return any(r.name in ("bmm", "mm", "mul", "mul_", "matmul") for r in readers if r.where)


def _fault(op: Op, last: Op, *, is_gate: bool) -> Fault:
    is_softmax = op.name in SOFTMAXES
    what = "gate" if is_gate else "chance"
    said = (
        "no class can be told improbable but by making others more probable"
        if is_softmax
        else f"this {what} never says less than .5"
    )
    line = f" at {op.source}" if op.source else ""
    return Fault(
        where=last.where or "",
        source=last.source,
        evidence=f"`{last.name}` gives 0 or more, and `{op.name}`{line} takes it for logits: "
        f"{said}.",
        measured={"is_gate": is_gate},
        severity=Severity.WARNING if is_gate or is_softmax else None,
        at=last.index,
    )


CHECK = Check(
    id="half-open-chance",
    summary="a chance or gate that can never be less than one half",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Take the activation away between the last layer and the sigmoid or softmax.",
    find=find_half_open_chances,
    explained_by=("unreachable-target", "lost-input"),
)
