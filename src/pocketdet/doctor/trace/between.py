"""What lies between two values of a recorded pass."""

from collections.abc import Iterable

from pocketdet.doctor.trace.graph import Op, Trace, Value

SQUASHING = frozenset(
    {"sigmoid", "sigmoid_", "hardsigmoid", "hardsigmoid_", "tanh", "tanh_", "_softmax", "exp"}
)


def reads_parameters(op: Op) -> bool:
    """Say whether a parameter is among an operator's operands."""
    return any(value.kind == "parameter" for value in op.inputs)


def plain_ancestors(value: Value) -> set[int]:
    """Give the ids of a value and of all that it was made from without a parameter."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        op = current.producer
        if op is not None and not reads_parameters(op):
            waiting.extend(op.inputs)
    return seen


def is_decided_apart(value: Value, features: Value) -> bool:
    """Say whether a factor is more than a statistic of the features that it multiplies.

    True where a parameter or a squashing function stands between the two: x / ‖x‖ is a
    normalisation, and x · sigmoid(conv(x)) is a gate.
    """
    known = plain_ancestors(features)
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        current = waiting.pop()
        op = current.producer
        if id(current) in seen or id(current) in known or op is None:
            continue
        seen.add(id(current))
        if reads_parameters(op) or op.name in SQUASHING:
            return True
        waiting.extend(op.inputs)
    return False


def follow(value: Value, names: Iterable[str]) -> list[Op]:
    """Give the consumers of a value, looking through operators of these names."""
    through = frozenset(names)
    found: list[Op] = []
    waiting, seen = [value], set[int]()
    while waiting:
        for op in waiting.pop().consumers:
            if op.index in seen or op.is_backward:
                continue
            seen.add(op.index)
            found.append(op)
            if op.name in through:
                waiting.extend(op.outputs)
    return found


def is_made_by(op: Op, names: Iterable[str], most_steps: int) -> bool:
    """Say whether an operator of these names is so many steps or fewer before one."""
    if most_steps < 1:
        return False
    makers = [value.producer for value in op.inputs if value.producer is not None]
    return any(m.name in names or is_made_by(m, names, most_steps - 1) for m in makers)


def from_inputs(trace: Trace) -> set[int]:
    """Give the indices of the operators that the inputs reach."""
    return trace.follows_from(list(trace.inputs.values()))
