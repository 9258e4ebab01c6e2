"""A loss that compares every prediction with every target, because their shapes differ.

## What it finds
An operator of the loss in which predictions and targets stretch each other: each has an axis of
size 1 where the other has more, so that the result has more values than either. Where somebody
inserted the axis, only pairs of values that were picked out by the same mask or the same indices
are told: these were to meet one by one.

## Why it costs AP
(N, 1) against (N,) gives N×N differences. The loss falls to where every prediction is the mean of
all targets, and stays there. PyTorch only warns, and only in some losses.

## Usual causes
- A last `Linear(…, 1)` or a one-channel map that is not squeezed before it meets its targets.
- Targets with an axis too few: (b, h, w) against (b, 1, h, w) becomes (b, b, h, w).

## When it is not a fault
Pairs that are meant (a cost matrix of anchors against boxes, a similarity matrix) are made by
inserting an axis with `None` or `unsqueeze`, of values that come from different places.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Trace, Value

COMPARING = frozenset(
    {
        "sub", "rsub", "mul", "eq", "mse_loss", "smooth_l1_loss", "huber_loss", "l1_loss",
        "binary_cross_entropy", "binary_cross_entropy_with_logits", "div", "pow", "maximum",
    }
)  # fmt: skip

ADDING = frozenset({"add", "minimum"})  # as of areas; squared norms of all pairs are added too
MOST_STEPS = 60  # back from an operand to where its values were picked out


def find_loss_broadcasting(training_trace: Trace) -> Iterator[Fault]:
    from_model = training_trace.follows_from(_made_in_model(training_trace))
    for op in training_trace.forward_ops:
        if op.where is not None or op.name not in COMPARING | ADDING or len(op.inputs) < 2:
            continue
        first, second = (_before_expansion(value) for value in op.inputs[:2])
        if not _stretch_each_other(first, second):
            continue
        is_meant = op.name in ADDING or _was_widened(first) or _was_widened(second)
        if is_meant and not _picked_by(first) & _picked_by(second):
            continue
        if _depends(first, from_model) == _depends(second, from_model):
            continue  # both predictions, or neither
        yield _fault(op, first, second)
        return  # what follows in the same loss has the same cause


def _made_in_model(trace: Trace) -> list[Value]:
    return [v for op in trace.forward_ops if op.where is not None for v in op.outputs]


def _depends(value: Value, from_model: set[int]) -> bool:
    producer = value.producer
    return producer is not None and (producer.index in from_model or producer.where is not None)


def _before_expansion(value: Value) -> Value:
    """Losses stretch their operands to one shape first; look at what was given to them."""
    while value.producer is not None and value.producer.name == "expand":
        value = value.producer.inputs[0]
    return value


def _stretch_each_other(first: Value, second: Value) -> bool:
    rank = max(len(first.shape), len(second.shape))
    if rank == 0 or not first.shape or not second.shape:
        return False
    one = (1,) * (rank - len(first.shape)) + first.shape
    other = (1,) * (rank - len(second.shape)) + second.shape
    first_grows = [b for a, b in zip(one, other, strict=True) if a == 1 and b > 1]
    second_grows = [a for a, b in zip(one, other, strict=True) if b == 1 and a > 1]
    # Values that were to meet one by one are equally many; boxes against cells are not.
    return bool(first_grows) and sorted(first_grows) == sorted(second_grows)


def _was_widened(value: Value) -> bool:
    """Say whether somebody inserted an axis on purpose, here or just before."""
    producer = value.producer
    for _ in range(3):
        if producer is None:
            return False
        if producer.name == "unsqueeze":
            return True
        if producer.name not in ("view", "to", "_to_copy", "permute", "slice", "clone"):
            return False
        producer = producer.inputs[0].producer
    return False


def _picked_by(value: Value) -> set[int]:
    """Give the slots of the masks and indices by which the values of an operand were picked out."""
    found: set[int] = set()
    waiting, seen = [value], {value.slot}
    while waiting and len(seen) < MOST_STEPS:
        producer = waiting.pop(0).producer
        if producer is None or producer.where is not None:
            continue
        picked = producer.name in ("index", "masked_select", "index_select", "gather")
        if picked:
            found |= {v.slot for v in producer.inputs[1:] if not v.is_float}
            continue
        for before in producer.inputs:
            if before.slot not in seen:
                seen.add(before.slot)
                waiting.append(before)
    return found


def _fault(op: Op, first: Value, second: Value) -> Fault:
    one, other = ("×".join(map(str, value.shape)) for value in (first, second))
    made = op.outputs[0].numel
    meant = max(first.numel, second.numel)
    return Fault(
        where="",
        source=op.source,
        evidence=f"`{op.name}` in the loss compares {one} with {other} values, which stretch each "
        f"other to {made:,} pairs where {meant:,} were meant: each prediction is drawn to "
        "all targets at once.",
        measured={"first": list(first.shape), "second": list(second.shape), "pairs": made},
        at=op.index,
    )


CHECK = Check(
    id="loss-broadcasting",
    summary="predictions and targets that stretch each other in the loss",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Give both one shape before the loss, by `squeeze(-1)` or `view_as`; a cost matrix that "
    "is meant inserts its axes with `None`.",
    find=find_loss_broadcasting,
)
