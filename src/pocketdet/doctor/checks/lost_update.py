"""A running value whose update is computed and dropped.

## What it finds
In a pass in training mode: new values for a buffer, of its own shape, that are computed from it and
from what passes, and then neither written to it nor used for anything else.

## Why it costs AP
The running mean, the average or the prototype stays what it was at the start. Training does not
notice, since it uses the batch's own; evaluation uses the buffer.

## Usual causes
- `self.mean.mul(0.9).add(...)` or `torch.lerp(self.mean, new, 0.1)`, where `mul_`, `add_`, `lerp_`
  or an assignment is meant.
- The new value is kept in a local variable, or in an attribute of another name.

## When it is not a fault
Results that are returned, kept in an attribute or read by the loss are used; buffers that the same
pass writes to by another line are updated.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.training_pass import TrainingPass
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.origin import MOVING

READ_BY_PYTHON = ("_local_scalar_dense", "equal", "is_nonzero", "nonzero", "item")
BLENDS = frozenset(
    {
        "add",
        "sub",
        "mul",
        "div",
        "lerp",
        "addcmul",
        "addcdiv",
        "where",
        "maximum",
        "minimum",
        "rsub",
    }
)


def find_lost_updates(trace: Trace, training_pass: TrainingPass) -> Iterator[Fault]:
    training = training_pass.trace
    read = [v for op in training.named(*READ_BY_PYTHON) for v in op.inputs]
    alive = training.leads_to([*training.outputs.values(), *training.kept, *read])
    trained = [*training.inputs.values(), *(v for v in training.leaves if v.kind == "parameter")]
    passes = training.follows_from(trained)
    written = {v.slot for op in training.forward_ops if op.is_in_place for v in op.outputs}
    used = {v.name for i in trace.leads_to(list(trace.outputs.values())) for v in _leaves(trace, i)}
    seen: set[str] = set()
    for op in training.forward_ops:
        if op.index in alive or op.index not in passes or op.name not in BLENDS or _is_read(op):
            continue
        for buffer in _blended(op):
            if buffer.slot not in written and buffer.name not in seen:
                seen.add(buffer.name)
                yield _fault(op, buffer, is_used=buffer.name in used)


def _leaves(trace: Trace, index: int) -> tuple[Value, ...]:
    return trace.ops[index].inputs


def _is_read(op: Op) -> bool:
    return any(reader.name in BLENDS for value in op.outputs for reader in value.consumers)


def _blended(op: Op) -> Iterator[Value]:
    """Give the buffers of the result's shape that a result is a blend of."""
    waiting, seen = [op], set[int]()
    while waiting:
        current = waiting.pop()
        for value in current.inputs:
            maker = value.producer
            if value.kind == "buffer" and value.is_float and value.shape == op.outputs[0].shape:
                yield value
            elif maker is not None and maker.index not in seen:
                seen.add(maker.index)
                if maker.name in BLENDS or maker.name in MOVING:
                    waiting.append(maker)


def _fault(op: Op, buffer: Value, *, is_used: bool) -> Fault:
    shape = "×".join(map(str, buffer.shape)) or "one number"
    effect = "Evaluation reads it." if is_used else "No output of evaluation is made of it."
    return Fault(
        where=op.where or buffer.name.rpartition(".")[0],
        source=op.source,
        evidence=f"`{op.name}` computes new values for the buffer `{buffer.name}` ({shape}) in a "
        f"training pass, and they are dropped: nothing writes to it. {effect}",
        measured={"buffer": buffer.name},
        severity=None if is_used else Severity.WARNING,
        at=op.index,
    )


CHECK = Check(
    id="lost-update",
    summary="a running value whose update is computed and dropped",
    stage=Stage.CALIBRATION,
    severity=Severity.ERROR,
    remedy="Write in place, `self.mean.lerp_(new, 0.1)` under `torch.no_grad()`, or assign the "
    "result to the buffer.",
    find=find_lost_updates,
)
