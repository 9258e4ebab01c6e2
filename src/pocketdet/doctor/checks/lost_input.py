"""A part of the network that says the same whatever comes in.

## What it finds
An operator whose operands change when the inputs change and whose result does not: an activation
that is dead or saturated everywhere, a product with zero, a difference of equals, a clamp that
holds everything. And outputs that do not change at all, nine in ten channels that are dead.

## Why it costs AP
No gradient passes a constant: what stands before it cannot learn, and what stands behind it sees a
constant. An output that does not depend on the image cannot find anything in it.

## Usual causes
- Inputs of 0 to 255 into a sigmoid or tanh; a bias of -20.
- A ReLU behind weights or biases that make everything negative.
- A branch multiplied by a parameter or a mask that is zero.

## When it is not a fault
Masks, anchors, position embeddings and other constants, which do not depend on the input's values
in the first place. Layers that start at zero on purpose: the check wakes them first.
"""

from collections.abc import Iterator

import torch
from torch import nn

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.settled import calibrate
from pocketdet.doctor.observations.signals import Signals
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Op, Trace, Value
from pocketdet.doctor.trace.between import SQUASHING, from_inputs

CONSTANT = 1e-7  # of its size that a value may vary by rounding
VARIES = 1e-4  # of its size by which an operand must vary
FAINT = 1e-3  # a softmax that is flat is not saturated: its scores are small yet, as at a start
FEW_CHANNELS = 16  # fewer random units may all be dead by chance, and wake in training
MANY_DEAD = 0.9  # of the channels: random weights leave far fewer
RELUS = frozenset({"relu", "relu_", "clamp_min", "clamp_min_", "hardtanh", "hardtanh_"})
BY_DESIGN = (
    "_like", "new_", "empty", "zeros", "ones", "full", "arange", "sign", "round", "floor", "ceil",
    "trunc", "heaviside", "masked_fill", "sort", "topk", "bernoulli",
)  # fmt: skip


def find_lost_inputs(
    trace: Trace, signals: Signals, model: nn.Module, batch: Call
) -> Iterator[Fault]:
    reached = from_inputs(trace)
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    seen: set[tuple[str | None, str]] = set()
    for op in trace.forward_ops:
        if op.index not in reached & to_outputs or (op.where, str(op.source)) in seen:
            continue
        found = _fault(op, trace, signals)
        if found is not None:
            seen.add((op.where, str(op.source)))
            yield found
    constant = [path for path in trace.outputs if _is_constant(trace, path, signals, reached)]
    if not seen and constant:
        still = _still_constant(model, batch)
        yield from (_of_output(trace, signals, path) for path in constant if path in still)


def _fault(op: Op, trace: Trace, signals: Signals) -> Fault | None:
    made = signals.of(op)
    if made is None or made.has_nan or op.is_view or op.outputs[0].numel < 2:
        return None
    if any(word in op.name for word in BY_DESIGN) or not _varies(op, signals):
        return None
    if _is_softmax_over_one(op) or _is_faint(op, signals):
        return None  # the first has a check of its own, which knows whether the axis ever grows
    behind = trace.parameters_behind(op.outputs[0])
    if not behind:
        return None
    is_constant = made.variety <= CONSTANT * made.size
    if not is_constant and (op.name not in RELUS or made.dead_channels < MANY_DEAD):
        return None
    shape = "×".join(map(str, op.outputs[0].shape))
    if is_constant:
        value = f"{made.most:.4g}" if made.most == made.least else "the same"
        said = f"`{op.name}` gives a {shape} map that is {value} for the given inputs and others"
    else:
        said = f"{made.dead_channels:.0%} of the channels of this {shape} map are zero everywhere"
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"{said}, while what goes into it varies. {len(behind)} parameters stand "
        "before it.",
        measured={"variety": made.variety, "size": made.size, "dead": made.dead_channels},
        severity=_severity(op, is_constant=is_constant),
        at=op.index,
    )


def _is_softmax_over_one(op: Op) -> bool:
    shape = op.outputs[0].shape
    return "softmax" in op.name and bool(shape) and shape[int(op.argument("dim"))] == 1


def _severity(op: Op, *, is_constant: bool) -> Severity | None:
    shape = op.outputs[0].shape
    if op.name in RELUS and (shape[1] if len(shape) > 1 else 1) < FEW_CHANNELS:
        return Severity.INFO
    return None if is_constant else Severity.WARNING


def _varies(op: Op, signals: Signals) -> bool:
    return any(_is_varied(value, signals) for value in op.inputs)


def _is_varied(value: Value, signals: Signals) -> bool:
    made = signals.of(value.producer)
    if value.producer is None or made is None or value is not value.producer.outputs[0]:
        return False
    return made.size > 0 and made.variety > VARIES * made.size


def _is_faint(op: Op, signals: Signals) -> bool:
    """Say whether what a squashing function is given varies too little to show.

    With small weights, as at a start, scores are the same for all keys to within rounding.
    """
    made = [signals.of(v.producer) for v in op.inputs if v.producer is not None]
    return op.name in SQUASHING and all(m is None or m.variety <= FAINT for m in made)


def _is_constant(trace: Trace, path: str, signals: Signals, reached: set[int]) -> bool:
    value = trace.outputs[path]
    op = value.producer
    made = signals.of(op)
    if op is None or made is None or op.index not in reached or value.numel < 2:
        return False
    if value is not op.outputs[0] or made.variety > CONSTANT * made.size:
        return False
    return _is_computed(value)


def _is_computed(value: Value) -> bool:
    """Say whether parameters make its numbers, and not only choose places in a table."""
    waiting, seen = [value], set[int]()
    while waiting:
        current = waiting.pop()
        if current.kind == "parameter":
            return True
        if id(current) not in seen and current.producer is not None:
            seen.add(id(current))
            waiting.extend(v for v in current.producer.inputs if v.is_float)
    return False


@torch.no_grad()
def _still_constant(model: nn.Module, batch: Call) -> set[str]:
    """Give the outputs that are constant with the network's own weights, none of them woken."""
    patient = copy_of(model).eval()
    calibrate(patient, batch)
    first = dict(tensors_in(batch.mapped(torch.clone)(patient)))
    second = dict(tensors_in(batch.with_other_samples(slice(None))(patient)))
    return {
        path
        for path, tensor in first.items()
        if path in second
        and tensor.shape == second[path].shape
        and bool(((tensor - second[path]).abs() <= CONSTANT * tensor.abs().amax()).all())
    }


def _of_output(trace: Trace, signals: Signals, path: str) -> Fault:
    op = trace.outputs[path].producer
    made = signals.of(op)
    assert op is not None
    assert made is not None
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"The output{f' `{path}`' if path else ''} changes by {made.variety:.1g} when the "
        f"inputs change, at a size of {made.size:.2g}.",
        measured={"variety": made.variety, "size": made.size},
        # One of several outputs may be a constant while weights are random: a start that is meant.
        severity=Severity.ERROR if len(trace.outputs) == 1 else Severity.WARNING,
        at=op.index,
    )


CHECK = Check(
    id="lost-input",
    summary="a result that is the same whatever comes in",
    stage=Stage.REACHABILITY,
    severity=Severity.ERROR,
    remedy="Look at the range of what goes into it: scale it, mend the bias or the weights "
    "before it, or take the constant factor away.",
    find=find_lost_inputs,
    explained_by=("softmax-over-one", "norm-over-one"),
)
