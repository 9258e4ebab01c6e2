"""Multiplications by a gate, and what becomes of the outputs when the gate says something else."""

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from pocketdet.doctor.observations.gate_walk import Candidate, surviving
from pocketdet.doctor.observations.signals import other_inputs
from pocketdet.doctor.trace import Call, Op, Run, Trace, Value, lockstep
from pocketdet.doctor.trace.between import from_inputs, is_decided_apart

FACTORS = (0.5, 2.0)  # by which each of a gate's values is changed at random
VANISHED = 2e-3  # of a change is left: it is cancelled (a norm's epsilon leaves a little)
DILUTED = 0.02  # of a value's own size: smaller changes fade in biases, and nothing cancels them
LEAST_SIGNAL = 1e-5  # of a value that must depend on the input at all: below is rounding
CUTTING = (
    *("relu", "clamp", "clamp_min", "hardtanh", "threshold", "elu", "leaky_relu"),
    *("max_pool2d_with_indices", "avg_pool2d", "convolution", "cat"),
)
"""What divides nothing out: where such an operator is all that is left, its units are dead."""
SIMPLE_FACTORS = ("mul", "mul_", "div", "div_")
SIMPLE_TERMS = ("add", "add_", "sub", "sub_")


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate:
    """A factor, or a term, that the input decides, one value for several of the features.

    - `op`: the multiplication (or division, or addition); `gate`: its operand;
    - `is_term`: whether it is added;
    - `effect`: the change of the outputs when every value of the gate is changed by a factor
      between .5 and 2, relative to the change that other inputs make; None where it was seen to
      live on;
    - `cancelled_by`: the operator whose operands change and whose result does not.
    """

    op: Op
    gate: Value
    is_term: bool
    effect: float | None
    cancelled_by: Op | None


def gates(trace: Trace, batch: Call) -> tuple[Gate, ...]:
    """Change each gate of the recorded pass in turn, and look what is left of it."""
    candidates = _candidates(trace)
    otherwise = other_inputs(trace, batch)
    alive = surviving(trace, candidates, otherwise, _differs)
    return tuple(
        Gate(op=c.op, gate=c.gate, is_term=c.is_term, effect=None, cancelled_by=None)
        if index in alive
        else _examined(trace, c, otherwise)
        for index, c in enumerate(candidates)
        if c.change is not None
    )


def _candidates(trace: Trace) -> list[Candidate]:
    """Find operations of features and something that the input decides apart from them."""
    reached = from_inputs(trace)
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    found: list[Candidate] = []
    for op in trace.forward_ops:
        if op.index not in to_outputs or not _joins_two(op):
            continue
        for which in (0, 1):
            gate, features = op.inputs[which], op.inputs[1 - which]
            producer = gate.producer
            if producer is None or producer.index not in reached or gate.numel < 2:
                continue
            if op.name.startswith("div") and which == 0:
                continue
            if is_decided_apart(gate, features):
                is_term = op.name in SIMPLE_TERMS
                found.append(Candidate(op=op, which=which, is_term=is_term))
    return found


def _joins_two(op: Op) -> bool:
    if len(op.inputs) < 2 or not op.outputs or not op.outputs[0].is_float:
        return False
    if op.name in (*SIMPLE_FACTORS, *SIMPLE_TERMS):
        return True
    return op.name in ("bmm", "matmul") and op.inputs[0].shape[-1:] == (1,)


def _examined(trace: Trace, candidate: Candidate, otherwise: dict[int, Tensor]) -> Gate:
    op, change = candidate.op, candidate.change
    assert change is not None
    base, altered = Run(trace), Run(trace, changes={op.index: change})
    other = Run(trace, inputs=otherwise)
    vanished_in: Op | None = None
    reached = from_inputs(trace)
    differing: dict[int, float] = {}  # by slot: the change relative to the value's own size
    kept = {value.slot for value in trace.outputs.values()}
    downstream = trace.follows_from(list(op.outputs)) | {op.index}
    for current, results in lockstep(trace, [base, altered, other]):
        if current.index not in downstream:
            continue
        carried = max((differing.get(value.slot, 0.0) for value in current.inputs), default=0.0)
        is_alive = False
        for value, *three in zip(current.outputs, *results, strict=False):
            if _differs(*three) and (value.consumers or value.slot in kept):
                is_alive = True
                differing[value.slot] = _change(three[0], three[1], torch.zeros_like(three[0]))
        is_cancelled = carried > DILUTED and not is_alive and not current.is_view
        is_cancelled = is_cancelled and current.name.rstrip("_") not in CUTTING
        if is_cancelled and vanished_in is None and not _is_beside(current, differing, reached):
            vanished_in = current
    effect = _effect(*(run.outputs(trace) for run in (base, altered, other)))
    return Gate(
        op=op,
        gate=candidate.gate,
        is_term=candidate.is_term,
        effect=effect,
        cancelled_by=vanished_in,
    )


def _effect(
    before: dict[str, Tensor], after: dict[str, Tensor], otherwise: dict[str, Tensor]
) -> float:
    changes = (_change(one, after[path], otherwise[path]) for path, one in before.items())
    return max(changes, default=0.0)


def _change(base: Tensor, changed: Tensor, otherwise: Tensor) -> float:
    """Measure a change by the one that other inputs make: a bias must not hide it."""
    if base.shape != changed.shape or not base.is_floating_point():
        return float(base.shape != changed.shape or not torch.equal(base, changed))
    if not base.numel():
        return 0.0
    scale = _size(base - otherwise) if base.shape == otherwise.shape else _size(base)
    change = _size(base - changed)
    if not isfinite(change) or scale < LEAST_SIGNAL * _size(base):
        return 1.0  # cannot be judged
    return change / scale if scale else 0.0


def _size(tensor: Tensor) -> float:
    return float(tensor.double().pow(2).mean().sqrt())


def _differs(base: Tensor, changed: Tensor, otherwise: Tensor) -> bool:
    return _change(base, changed, otherwise) > VANISHED


def _is_beside(op: Op, differing: dict[int, float], reached: set[int]) -> bool:
    """Say whether an operand that did not change joins in: the change is small beside it."""
    return any(
        value.slot not in differing and value.is_float and value.producer.index in reached
        for value in op.inputs
        if value.producer is not None
    )
