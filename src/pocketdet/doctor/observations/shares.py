"""Multiplications by shares: non-negative factors that sum to 1 over many elements."""

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from pocketdet.doctor.trace import Op, Run, Trace, lockstep
from pocketdet.doctor.trace.between import from_inputs, is_decided_apart

LEAST_ELEMENTS = 16  # fewer are branches, heads or experts, and their shares are large
ROUNDING = 1e-4  # of their sum, which is 1
PRODUCTS = ("mul", "mul_")


@dataclass(frozen=True, kw_only=True, eq=False)
class Share:
    """A multiplication of features by shares.

    - `op`: the multiplication; `which`: the operand that holds the shares;
    - `axes`: over which they sum to 1; `count`: of elements there;
    - `left`: size of the result relative to the features', root mean square.
    """

    op: Op
    which: int
    axes: tuple[int, ...]
    count: int
    left: float


def shares(trace: Trace) -> tuple[Share, ...]:
    """Find them by their values, whatever computed them."""
    reached = from_inputs(trace)
    wanted = {
        op.index: whiches
        for op in trace.named(*PRODUCTS)
        if (whiches := [w for w in (0, 1) if _may_be(op, w, reached)])
    }
    if not wanted:
        return ()
    found: list[Share] = []
    run = Run(trace)
    kept: dict[int, tuple[Tensor, ...]] = {}
    before = {index - 1 for index in wanted}
    for op, results in lockstep(trace, [run]):
        if op.index in wanted:
            for which in wanted[op.index]:
                found += _share(op, which, kept[op.index], results[0][0])
        if op.index in before:
            later = trace.ops[op.index + 1]
            kept = {later.index: tuple(run.tensors[v.slot].clone() for v in later.inputs)}
    return tuple(found)


def _may_be(op: Op, which: int, reached: set[int]) -> bool:
    if len(op.inputs) != 2 or not all(value.is_float for value in op.inputs):
        return False
    if not all(v.producer is not None and v.producer.index in reached for v in op.inputs):
        return False
    gate, features = op.inputs[which], op.inputs[1 - which]
    return LEAST_ELEMENTS <= gate.numel <= features.numel and is_decided_apart(gate, features)


def _share(op: Op, which: int, operands: tuple[Tensor, ...], result: Tensor) -> list[Share]:
    gate, features = operands[which].double(), operands[1 - which].double()
    whole = _axes_of_a_whole(gate)
    if whole is None:
        return []
    axes, count = whole
    size = float(features.pow(2).mean().sqrt())
    left = float(result.double().pow(2).mean().sqrt()) / size if size else 0.0
    return [Share(op=op, which=which, axes=axes, count=count, left=left)]


def _axes_of_a_whole(gate: Tensor) -> tuple[tuple[int, ...], int] | None:
    if gate.ndim < 2 or float(gate.min()) < 0 or not bool(torch.isfinite(gate).all()):
        return None
    later = range(1, gate.ndim)
    sets = [(axis,) for axis in later] + list(combinations(later, 2))
    sets += list(combinations(later, 3))
    for axes in sets:
        count = 1
        for axis in axes:
            count *= gate.shape[axis]
        if count < LEAST_ELEMENTS or min(gate.shape[axis] for axis in axes) < 2:
            continue
        sums = gate.sum(axes)
        is_level = float((sums - 1).abs().max()) <= ROUNDING
        is_level = is_level and float(gate.std(axes).mean()) > ROUNDING / count
        if is_level and sums.numel() > 1:
            return axes, count
    return None
