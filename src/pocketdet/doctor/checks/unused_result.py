"""A result that is computed and never used.

## What it finds
Layers and activations that run, in evaluation and in training mode, and whose results reach no
output and no loss: the last operator of each such dead end.

## Why it costs AP
A branch that was meant to be there is not: the attention sees the mean and not the maximum, the
level lacks its skip, the convolution is not followed by its activation. What is only read there
never trains.

## Usual causes
- `F.relu(x)` or `x.add(y)` on a line of its own, where `x = ...` is meant.
- Copied code: `sigmoid(y_avg + y_avg)`, with `y_max` left behind.
- A new block's result kept in one variable, and the old one handed on.

## When it is not a fault
Auxiliary outputs that only training uses, results that a module keeps in an attribute, values that
Python looks at (`.item()`), statistics for a log, functions in place, and all that only moves
numbers or looks at shapes are left alone. Without a `training_loss`, layers of their own whose
result the code does read somewhere are told as `info`.
"""

from collections import Counter
from collections.abc import Iterator

from pocketdet.doctor.attributes import is_left_unread
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.training_pass import TrainingPass
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import from_inputs
from pocketdet.doctor.trace.origin import MOVING

READ_BY_PYTHON = frozenset({"_local_scalar_dense", "equal", "is_nonzero", "nonzero", "item"})
WORK = frozenset(
    {
        "convolution", "addmm", "mm", "bmm", "matmul", "linear", "relu", "silu", "gelu", "sigmoid",
        "tanh", "hardswish", "hardsigmoid", "hardtanh", "leaky_relu", "elu", "mish", "softplus",
        "native_batch_norm", "native_layer_norm", "native_group_norm", "_softmax", "add", "mul",
        "cat", "upsample_nearest2d", "upsample_bilinear2d", "max_pool2d_with_indices", "avg_pool2d",
        "_adaptive_avg_pool2d", "div", "sub",
    }
)  # fmt: skip
LEAST_VALUES = 16  # in a result for each sample: less is a number for a log


def find_unused_results(trace: Trace, training_pass: TrainingPass | None = None) -> Iterator[Fault]:
    alive = _alive(trace)
    has_loss = training_pass is not None and training_pass.has_loss
    in_evaluation = _places_alive(trace)
    in_training = _places_alive(training_pass.trace) if training_pass else in_evaluation
    reached = from_inputs(trace)
    seen: set[Place] = set()
    for op in trace.forward_ops:
        place = _place(op)
        if op.index in alive or op.index not in reached or place in seen or op.where is None:
            continue
        if _is_end(op, alive) and _place_of_work(op) and in_training[place] <= in_evaluation[place]:
            seen.add(place)
            yield _fault(op, trace, alive, has_loss=has_loss)


Place = tuple[str, str | None, str]


def _place(op: Op) -> Place:
    return op.name, op.where, str(op.source)


def _alive(trace: Trace) -> set[int]:
    read = [v for op in trace.named(*READ_BY_PYTHON) for v in op.inputs]
    return trace.leads_to([*trace.outputs.values(), *trace.kept, *read])


def _places_alive(trace: Trace) -> Counter[Place]:
    return Counter(_place(trace.ops[index]) for index in _alive(trace))


def _is_end(op: Op, alive: set[int]) -> bool:
    """Say whether nothing but moves of its numbers come after it."""
    readers = [r for value in _moved(op) for r in value.consumers if not r.is_backward]
    return all(reader.name in MOVING and reader.index not in alive for reader in readers)


def _moved(op: Op) -> list[Value]:
    """Give an operator's results, and what only moves made of them."""
    found = list(op.outputs)
    for value in found:  # grows on the way
        readers = [r for r in value.consumers if not r.is_backward and r.name in MOVING]
        found.extend(made for reader in readers for made in reader.outputs if made not in found)
    return found


def _place_of_work(op: Op) -> bool:
    made = op.outputs[0] if op.outputs else None
    if made is None or not made.is_float or op.name not in WORK:
        return False
    return made.numel >= LEAST_VALUES * max(made.shape[0] if made.shape else 1, 1)


def _fault(op: Op, trace: Trace, alive: set[int], *, has_loss: bool) -> Fault:
    lost = {v.name for v in _dead_values(op, alive) if v.kind == "parameter"}
    read = {v.name for i in alive for v in trace.ops[i].inputs if v.kind == "parameter"}
    only = sorted(lost - read)
    shape = "×".join(map(str, op.outputs[0].shape))
    taker = next((v.given_to[-1] for v in _moved(op) if v.given_to), None)
    given = f" It is given to `{taker}`, which does not use it." if taker else ""
    return Fault(
        where=taker or op.where or "",
        source=op.source,
        evidence=f"`{op.name}` makes a {shape} map that no output and no loss is made of.{given}"
        + (f" {len(only)} parameters, such as `{only[0]}`, are read only for it." if only else ""),
        measured={"shape": list(op.outputs[0].shape), "parameters": len(only)},
        severity=_severity(op, only, has_loss=has_loss),
        at=op.index,
    )


def _severity(op: Op, only: list[str], *, has_loss: bool) -> Severity | None:
    """Without the loss at hand, layers of its own may serve an auxiliary loss, or another call."""
    if has_loss or not only or (op.source and is_left_unread(op.source)):
        return None
    return Severity.INFO


def _dead_values(op: Op, alive: set[int]) -> Iterator[Value]:
    waiting, seen = [op], set[int]()
    while waiting:
        current = waiting.pop()
        if current.index in seen or current.index in alive:
            continue
        seen.add(current.index)
        yield from current.inputs
        waiting.extend(v.producer for v in current.inputs if v.producer is not None)


CHECK = Check(
    id="unused-result",
    summary="a result that is computed and never used",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Use the result (`x = F.relu(x)`), or take the computation out.",
    find=find_unused_results,
    explained_by=("unreached-parameter",),
)
