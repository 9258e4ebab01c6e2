"""Follow a value back through operators that only move it."""

from collections.abc import Iterator

from pocketdet.doctor.trace.graph import Op, Value

MOVING = frozenset(
    {
        "view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t",
        "squeeze", "unsqueeze", "expand", "clone", "contiguous", "alias", "detach", "_to_copy",
        "select", "slice", "index", "index_select", "gather", "split", "split_with_sizes", "unbind",
        "unflatten", "cat", "stack", "flip", "narrow", "masked_select", "lift_fresh", "copy_",
        "constant_pad_nd", "as_strided", "roll", "view_as", "diagonal",
    }
)  # fmt: skip


def makers(value: Value) -> Iterator[Op]:
    """Give the operators that made the numbers of a value, moved since or not.

    Of joined values every part's maker is given. What no operator made has none.
    """
    waiting, seen = [value], set[int]()
    while waiting:
        op = waiting.pop().producer
        if op is None or op.index in seen:
            continue
        seen.add(op.index)
        if op.name in MOVING:
            waiting.extend(_moved(op))
        else:
            yield op


def _moved(op: Op) -> tuple[Value, ...]:
    """Give the operands whose numbers the result holds: not the indices that choose them."""
    if op.name in ("cat", "stack"):
        return op.inputs
    if op.name == "copy_":
        return op.inputs[1:2]
    return op.inputs[:1]
