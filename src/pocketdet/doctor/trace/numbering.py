"""Which values of a recorded pass are one and the same computation."""

from typing import Any

from pocketdet.doctor.trace.arguments import exchanged
from pocketdet.doctor.trace.graph import Op, Ref, Trace, Value

UNMOVED = frozenset({"alias", "detach", "clone", "contiguous", "lift_fresh"})


def numbered(trace: Trace) -> dict[int, int]:
    """Give each value's number, by its id: equal for what the same operators make of the same.

    What is written to, drawn at random or was there before has a number of its own.
    """
    numbers: dict[int, int] = {}
    known: dict[Any, int] = {}
    for op in trace.forward_ops:
        for value in op.inputs:
            numbers.setdefault(id(value), len(numbers))
        key = _key(op, numbers)
        for which, value in enumerate(op.outputs):
            if op.name in UNMOVED and not op.is_in_place:
                numbers[id(value)] = numbers[id(op.inputs[0])]
            elif key is None:
                numbers[id(value)] = -1 - len(numbers)
            else:
                numbers[id(value)] = known.setdefault((*key, which), -1 - len(numbers))
    return numbers


def _key(op: Op, numbers: dict[int, int]) -> tuple[Any, ...] | None:
    if op.is_random or op.is_in_place:
        return None
    by_slot: dict[int, Value] = {value.slot: value for value in op.inputs}
    args = exchanged(op.args, Ref, lambda ref: ("value", numbers[id(by_slot[ref.slot])]))
    kwargs = exchanged(op.kwargs, Ref, lambda ref: ("value", numbers[id(by_slot[ref.slot])]))
    return str(op.overload), repr(args), repr(sorted(kwargs.items()))
