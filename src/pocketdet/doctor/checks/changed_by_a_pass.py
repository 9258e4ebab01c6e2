"""A forward pass in evaluation mode that changes its inputs, or the network.

## What it finds
Inputs whose values are others after the pass, and the operator in place that writes to them; and
parameters or buffers that a pass in evaluation mode moves.

## Why it costs AP
Whoever uses the image again (a teacher, a second crop, the drawing of the result) gets another
one. A network that evaluation changes says something else each time, and never what was measured.

## Usual causes
- `images.sub_(mean).div_(std)`, `images -= mean`, or an in-place ReLU as the first layer.
- BatchNorm layers that stay in training mode, or running statistics kept by hand.

## When it is not a fault
A cache or a counter: buffers that move without changing what the next pass says are an `info`.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Op, Trace, Value, output_difference

REPEATED = 1e-5  # of the outputs: less is rounding


@torch.no_grad()
def find_changes_by_a_pass(settled: nn.Module, batch: Call, trace: Trace) -> Iterator[Fault]:
    patient = copy_of(settled)
    before = {name: value.clone() for name, value in _state(patient).items()}
    given = batch.mapped(torch.clone)
    first = dict(tensors_in(given(patient)))
    yield from _changed_inputs(batch, given, trace)

    moved = [n for n, v in _state(patient).items() if n in before and _differ(v, before[n])]
    if moved:
        second = dict(tensors_in(batch.mapped(torch.clone)(patient)))
        yield _changed_state(moved, output_difference(first, second), trace)


def _state(patient: nn.Module) -> dict[str, Tensor]:
    """Give what is saved and is a tensor: quantised layers save types and packed weights too."""
    return {n: v for n, v in patient.state_dict().items() if isinstance(v, Tensor)}


def _differ(first: Tensor, second: Tensor) -> bool:
    return first.shape != second.shape or not torch.equal(
        first.nan_to_num() if first.is_floating_point() else first,
        second.nan_to_num() if second.is_floating_point() else second,
    )


def _changed_inputs(batch: Call, given: Call, trace: Trace) -> Iterator[Fault]:
    after = dict(given.tensors())
    for path, tensor in batch.tensors():
        if not _differ(tensor, after[path]):
            continue
        writer = _writer(trace, trace.inputs[path])
        name = f" `{path}`" if path else ""
        by = f" `{writer.name}` writes to it." if writer else ""
        yield Fault(
            where=(writer.where or "") if writer else "",
            source=writer.source if writer else None,
            evidence=f"The input{name} is another after the pass: {_share(tensor, after[path])} "
            f"of its values have changed.{by}",
            measured={"input": path},
            severity=Severity.WARNING,
            at=writer.index if writer else 0,
        )


def _share(before: Tensor, after: Tensor) -> str:
    return f"{float((before != after).double().mean()):.0%}"


def _writer(trace: Trace, value: Value) -> Op | None:
    return next(
        (
            op
            for op in trace.forward_ops
            if op.is_in_place and any(made.slot == value.slot for made in op.outputs)
        ),
        None,
    )


def _changed_state(moved: list[str], difference: float, trace: Trace) -> Fault:
    is_harmless = difference <= REPEATED
    leaves = {leaf.name: leaf for leaf in trace.leaves if leaf.kind in ("buffer", "parameter")}
    writer = _writer(trace, leaves[moved[0]]) if moved[0] in leaves else None
    effect = (
        "a second pass on the same input says the same"
        if is_harmless
        else f"a second pass on the same input differs by {difference:.2g} of the outputs' size"
    )
    return Fault(
        where=(writer.where if writer else None) or moved[0].rpartition(".")[0],
        source=writer.source if writer else None,
        evidence=f"A pass in evaluation mode changes {len(moved)} parameters or buffers, such as "
        f"`{moved[0]}`; {effect}.",
        measured={"moved": len(moved), "difference": difference},
        severity=Severity.INFO if is_harmless else None,
        at=writer.index if writer else 0,
    )


CHECK = Check(
    id="changed-by-a-pass",
    summary="a pass in evaluation mode that changes its inputs or the network",
    stage=Stage.DETERMINISM,
    severity=Severity.ERROR,
    remedy="Write `images = images - mean` in place of `images -= mean`; keep statistics still "
    "unless `self.training`.",
    find=find_changes_by_a_pass,
)
