"""Multiplications by a gate, and what becomes of the outputs when the gate says something else."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.doctor.trace import Op, Run, Trace, lockstep, output_difference

FACTORS = (0.5, 2.0)  # by which each of a gate's values is changed at random
VANISHED = 1e-3  # of the gate's own effect is left: it is cancelled
MOST_GATES = 48  # more are examined a part at a time: those with the fewest parameters behind last
MULTIPLY = ("mul", "mul_", "div", "div_")


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate:
    """A factor that the input decides, one value for several of the features.

    - `op`: the multiplication; `effect`: the largest relative change of the outputs when every
      value of the gate is changed by a factor between .5 and 2;
    - `cancelled_by`: the operator whose operands change and whose result does not.
    """

    op: Op
    effect: float
    cancelled_by: Op | None


def gates(trace: Trace) -> tuple[Gate, ...]:
    """Change each gate of the recorded pass in turn, and look what is left of it."""
    found: list[Gate] = []
    for op, which in _gating(trace)[:MOST_GATES]:
        found.append(_examined(trace, op, which))
    return tuple(found)


def _gating(trace: Trace) -> list[tuple[Op, int]]:
    """Find multiplications of a map by something smaller that depends on the input."""
    from_inputs = trace.follows_from(list(trace.inputs.values()))
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    found: list[tuple[Op, int]] = []
    for op in trace.named(*MULTIPLY):
        if op.index not in to_outputs or len(op.inputs) < 2 or not op.outputs[0].is_float:
            continue
        which = _gate_operand(op)
        producer = op.inputs[which].producer if which is not None else None
        if which is None or producer is None or producer.index not in from_inputs:
            continue
        if trace.parameters_behind(op.inputs[which]):
            found.append((op, which))
    return found


def _gate_operand(op: Op) -> int | None:
    """Give which operand is the gate: it is stretched over the other, or is bounded."""
    first, second = op.inputs[:2]
    if op.name.startswith("mul"):
        for which, (gate, features) in enumerate(((first, second), (second, first))):
            is_stretched = gate.numel < features.numel and gate.numel > 1
            if is_stretched or (gate.shape == features.shape and _is_bounded(gate.producer)):
                return which
    return None


BOUNDED = ("sigmoid", "_softmax", "hardsigmoid", "tanh", "hardtanh", "clamp", "expand")


def _is_bounded(producer: Op | None) -> bool:
    return producer is not None and producer.name.rstrip("_") in {n.rstrip("_") for n in BOUNDED}


def _examined(trace: Trace, op: Op, which: int) -> Gate:
    factors = _draw(op.inputs[which].shape)

    def change(product: Tensor) -> Tensor:
        return product * factors.to(product)

    base, altered = Run(trace), Run(trace, changes={op.index: change})
    vanished_in: Op | None = None
    differing: set[int] = set()
    downstream = trace.follows_from(list(op.outputs)) | {op.index}
    for current, (before, after) in lockstep(trace, [base, altered]):
        if current.index not in downstream:
            continue
        carries = _carries(current, differing)
        changed = _differing_slots(current, before, after)
        differing.difference_update(value.slot for value in current.outputs)
        differing.update(changed)
        if vanished_in is None and carries and not changed:
            vanished_in = current
    effect = output_difference(base.outputs(trace), altered.outputs(trace))
    return Gate(op=op, effect=effect, cancelled_by=vanished_in)


def _draw(shape: tuple[int, ...]) -> Tensor:
    low, high = torch.tensor(FACTORS).log()
    return (low + (high - low) * torch.rand(shape)).exp()


def _differing_slots(op: Op, before: tuple[Tensor, ...], after: tuple[Tensor, ...]) -> set[int]:
    """Give the results that differ and that somebody reads: not the mean inside of a norm."""
    found: set[int] = set()
    for number, (value, base, other) in enumerate(zip(op.outputs, before, after, strict=False)):
        if (value.consumers or number == 0) and _differs(base, other):
            found.add(value.slot)
    return found


def _differs(base: Tensor, other: Tensor) -> bool:
    if not base.is_floating_point() or not base.numel():
        return False
    scale = float(base.double().abs().mean()) or 1.0
    return float((base.double() - other.double()).abs().max()) / scale > VANISHED


def _carries(op: Op, differing: set[int]) -> bool:
    """Say whether an operator joins the changed values into an unchanged result."""
    return any(value.slot in differing for value in op.inputs) and not op.is_view
