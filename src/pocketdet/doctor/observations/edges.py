"""What happens at the edge: gradients for the given inputs, and for a black image."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Op, Run, Trace
from pocketdet.doctor.trace.replay import last_reads

STEEP_AT_ZERO = frozenset({"sqrt", "sqrt_", "rsqrt", "rsqrt_", "log", "log_", "log2", "reciprocal"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Edge:
    """One pass and its backward pass.

    - `is_finite`: whether the outputs are;
    - `bad_gradients`: parameters whose gradient is not;
    - `steepest`: the last operator whose operand is at a place of infinite slope.
    """

    is_finite: bool
    bad_gradients: tuple[str, ...]
    steepest: Op | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Edges:
    """`given`: for the given inputs; `black`: for images that are zero everywhere."""

    given: Edge
    black: Edge | None


def edges(settled: nn.Module, batch: Call, trace: Trace) -> Edges:
    """Run the settled copy forward and backward, with a random weight for every output."""
    try:
        given = _edge(settled, batch, trace)
    except RuntimeError as error:
        raise NotObservable("its backward pass fails") from error
    if given is None:
        raise NotObservable("no output has a gradient")
    images = [tensor for _, tensor in batch.tensors() if _is_image(tensor)]
    black = batch.mapped(lambda t: torch.zeros_like(t) if _is_image(t) else t.clone())
    return Edges(given=given, black=_edge(settled, black, trace) if images else None)


def _is_image(tensor: Tensor) -> bool:
    return tensor.ndim == 4 and tensor.is_floating_point()


def _edge(settled: nn.Module, call: Call, trace: Trace) -> Edge | None:
    patient = copy_of(settled)
    result = call.mapped(torch.clone)(patient)
    outputs = [t for _, t in tensors_in(result) if t.is_floating_point() and t.requires_grad]
    if not outputs:
        return None
    is_finite = all(bool(torch.isfinite(tensor).all()) for tensor in outputs)
    total = sum((t * torch.randn_like(t)).sum() for t in outputs)
    assert isinstance(total, Tensor)
    total.backward()
    bad = tuple(
        name
        for name, parameter in patient.named_parameters()
        if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all())
    )
    return Edge(
        is_finite=is_finite, bad_gradients=bad, steepest=_steepest(trace, call) if bad else None
    )


def _steepest(trace: Trace, call: Call) -> Op | None:
    """Find the last operator at a place of infinite slope: what is before it gets the NaN."""
    given = dict(call.tensors())
    run = Run(trace, inputs={v.slot: given[p] for p, v in trace.inputs.items() if p in given})
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    unneeded = last_reads(trace)
    found: Op | None = None
    with torch.no_grad():
        for op in trace.forward_ops:
            if op.index in to_outputs and _is_steep(op, run):
                found = op
            run.step(op)
            for slot in unneeded.get(op.index, ()):
                run.tensors.pop(slot, None)
    return found


def _is_steep(op: Op, run: Run) -> bool:
    if not op.inputs or not op.inputs[0].is_float:
        return False
    is_zero = [v.is_float and bool((run.tensors[v.slot] == 0).any()) for v in op.inputs[:2]]
    if op.name in STEEP_AT_ZERO:
        return is_zero[0]
    if op.name in ("div", "div_"):
        return is_zero[-1]
    exponent = op.argument("exponent") if op.name in ("pow", "pow_") else 1
    return isinstance(exponent, int | float) and exponent < 1 and is_zero[0]
