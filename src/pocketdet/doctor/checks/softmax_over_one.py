"""A softmax, or a norm, over an axis of size 1: a constant.

## What it finds
A softmax over an axis that has one element, whose result is 1 whatever comes in; and a division
by a norm taken over one element, whose result is 1 or -1.

## Why it costs AP
All that stands before it is without effect: its parameters get no gradient, and the gate that it
was to be lets everything through. Every shape is right, and nothing warns.

## Usual causes
- A spatial attention with one output channel and `softmax(dim=1)`: the channel axis has size 1.
- One output unit with a softmax where a sigmoid is meant.
- `softmax(dim=1)` written for (batch, places) and given (batch, 1, places).

## When it is not a fault
The axis has one element for this input only (one query, one region, a map of 1×1): the check runs
the network on other sizes, and where the axis grows with them it stays silent. A softmax over
one class or one expert by configuration, with nothing learnt before it, is told as `info`, and so
is an attention to one place, which is all that is there.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.other_sizes import OtherSizes
from pocketdet.doctor.trace import Op, Trace
from pocketdet.doctor.trace.between import follow, is_made_by
from pocketdet.doctor.trace.origin import MOVING

SOFTMAX = ("_softmax", "_log_softmax", "_safe_softmax")
PRODUCTS = frozenset({"bmm", "mm", "matmul"})
MOST_STEPS = 6  # from a product of queries and keys to its softmax: scale, bias, mask, reshape
LEAST_ELEMENTS = 2  # a result of one element says nothing about axes


def find_softmax_over_one(trace: Trace, other_sizes: OtherSizes) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for op in trace.named(*SOFTMAX):
        operand = op.inputs[0]
        axis = int(op.argument("dim"))
        if not operand.shape or operand.shape[axis] != 1 or operand.numel < LEAST_ELEMENTS:
            continue
        if other_sizes.grows(op, axis) or (op.where, str(op.source)) in seen:
            continue
        seen.add((op.where, str(op.source)))
        yield _fault(op, axis, sorted(trace.parameters_behind(operand)))


def _fault(op: Op, axis: int, behind: list[str]) -> Fault:
    operand = op.inputs[0]
    shape = "×".join(map(str, operand.shape))
    kind = "log-softmax" if "log" in op.name else "softmax"
    constant = 0 if kind == "log-softmax" else 1
    without_effect = (
        f" No gradient passes it, to none of the {len(behind)} parameters before it."
        if behind
        else " Nothing learnt stands before it."
    )
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"The {kind} of a {shape} map runs over axis {axis % len(operand.shape)}, which "
        f"has one element, so that all of its {operand.numel:,} results are {constant}."
        f"{without_effect}",
        measured={"shape": list(operand.shape), "axis": axis % len(operand.shape)},
        severity=Severity.INFO if not behind or _is_of_one_key(op) else None,
        at=op.index,
    )


def _is_of_one_key(op: Op) -> bool:
    """Say whether it is an attention to one place, which is all there is to attend to."""
    readers = [reader for reader in follow(op.outputs[0], MOVING) if reader.name in PRODUCTS]
    sums_over_one = bool(readers) and all(r.inputs[0].shape[-1] == 1 for r in readers)
    return sums_over_one and is_made_by(op, PRODUCTS, MOST_STEPS)


CHECK = Check(
    id="softmax-over-one",
    summary="a softmax over an axis of size 1, which is always 1",
    stage=Stage.AXES,
    severity=Severity.ERROR,
    remedy="Use a sigmoid for a gate of one channel, or run the softmax over the axis that was "
    "meant: over all places, flatten them first.",
    find=find_softmax_over_one,
)
