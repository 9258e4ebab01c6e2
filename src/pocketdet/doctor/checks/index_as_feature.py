"""Places, instead of values, that go on as features.

## What it finds
Whole numbers that `max`, `topk`, `argmax`, `sort` or a pooling gives as the places of what it
found, made to floats and given to a layer.

## Why it costs AP
The number of a channel or a place says nothing by its size, and has no gradient: a branch that was
to see how strong the strongest feature is sees which one it was.

## Usual causes
- `x.max(dim=1)[1]` where the values, `[0]`, are meant; `argmax` where `amax` is.

## When it is not a fault
Indices that choose (`gather`, `index`, embeddings, one-hot codes), and coordinates that are given
out without another layer.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import from_inputs, reads_parameters

FINDERS = frozenset(
    {"max", "min", "topk", "sort", "argmax", "argmin", "max_pool2d_with_indices", "argsort"}
    | {"adaptive_max_pool2d", "median", "kthvalue"}
)
CHOOSERS = frozenset(
    {"index", "gather", "index_select", "embedding", "scatter", "index_put", "index_put_", "take"}
    | {"scatter_", "masked_fill", "where", "one_hot", "eq", "ne", "lt", "gt", "le", "ge"}
)


def find_indices_as_features(trace: Trace) -> Iterator[Fault]:
    reached = from_inputs(trace)
    seen: set[str] = set()
    for op in trace.named(*FINDERS):
        if op.index not in reached or not op.inputs or not op.inputs[0].is_float:
            continue
        if not trace.parameters_behind(op.inputs[0]):
            continue
        for value in op.outputs:
            layer = None if value.is_float else _layer_behind(value)
            if layer is not None and str(op.source) not in seen:
                seen.add(str(op.source))
                yield _fault(op, layer)


def _layer_behind(value: Value) -> Op | None:
    """Follow whole numbers to a layer that takes them as features."""
    waiting, seen = [(value, False)], set[int]()
    while waiting:
        current, is_feature = waiting.pop()
        for op in current.consumers:
            if op.is_backward or op.index in seen or op.name in CHOOSERS or op.reads_shape_only:
                continue
            seen.add(op.index)
            made = op.outputs[0] if op.outputs else None
            if is_feature and reads_parameters(op) and op.name not in ("mul", "add", "sub", "div"):
                return op
            if made is None or (is_feature and op.name in ("sin", "cos")):
                continue  # coordinates in a position code
            waiting.append((made, is_feature or made.is_float))
    return None


def _fault(op: Op, layer: Op) -> Fault:
    line = f" at {layer.source}" if layer.source else ""
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{op.name}` of a {'×'.join(map(str, op.inputs[0].shape))} map gives places, "
        f"whole numbers, and `{layer.name}` in `{layer.where or 'the model'}`{line} takes them for "
        "features.",
        measured={"layer": layer.where},
        at=op.index,
    )


CHECK = Check(
    id="index-as-feature",
    summary="places of the largest values that go on as features",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Take the values: `x.max(dim=1).values` or `x.amax(dim=1)`.",
    find=find_indices_as_features,
)
