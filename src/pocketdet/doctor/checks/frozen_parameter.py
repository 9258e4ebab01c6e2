"""Weights that are frozen at their random start where something must be learnt.

## What it finds
Frozen weights (`requires_grad=False`) that still are what the initialisation drew, while other
parameters are trained: where every weight is frozen and only norms and biases are left to learn;
and where an output's own last layer is frozen.

## Why it costs AP
A random projection stays a random projection. The loss falls a little, because norms and biases
can do something, and AP stays a fraction of what it could be.

## Usual causes
- A loop that was to freeze the norms and froze all but them.
- `requires_grad_(False)` on the whole model after the new head was put in, or a name filter that
  matches the head too.
- Weights that should have been loaded before they were frozen.

## When it is not a fault
Frozen pretrained parts, linear probes and adapters beside frozen layers: a frozen part in front of
trained weights is left alone, and so is a fixed last layer that no initialisation drew.
"""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Trace, Value
from pocketdet.doctor.wholes import largest_wholes, owner_of

MOSTLY = 0.5  # of the frozen values that are still as drawn
LEAST_VALUES = 64  # fewer say nothing about how they were drawn
UNIFORM, NORMAL = 1.8, 3.0  # the kurtosis of what initialisations draw from
ROUGHLY = 0.45  # by which the kurtosis of as many values may be off


def find_frozen_parameters(model: nn.Module, trace: Trace) -> Iterator[Fault]:
    used = {v.name for v in trace.leaves if v.kind == "parameter" and v.consumers}
    parameters = {name: p for name, p in model.named_parameters() if name in used}
    weights = {name: p for name, p in parameters.items() if p.ndim >= 2}
    frozen = {name: p for name, p in weights.items() if not p.requires_grad}
    trained = [name for name, p in parameters.items() if p.requires_grad]
    if not frozen or not trained:
        return
    if len(frozen) == len(weights):
        fresh = sum(p.numel() for p in frozen.values() if is_as_drawn(p))
        if fresh >= MOSTLY * sum(p.numel() for p in frozen.values()):
            yield _all_frozen(model, frozen, [parameters[name] for name in trained])
        return
    for path, value in trace.outputs.items():
        last = _last_weights(value)
        if last and last <= frozen.keys() and all(is_as_drawn(frozen[name]) for name in last):
            yield _frozen_end(model, path, sorted(last))


def is_as_drawn(parameter: Tensor) -> bool:
    """Say whether values look as if drawn from one uniform or normal distribution around 0.

    Trained weights have heavier tails, and another spread from filter to filter.
    """
    values = parameter.detach().double().flatten()
    if values.numel() < LEAST_VALUES or float(values.std()) == 0:
        return False
    scaled = (values - values.mean()) / values.std()
    kurtosis = float(scaled.pow(4).mean())
    allowed = ROUGHLY + 8 / values.numel() ** 0.5
    is_centred = abs(float(values.mean())) < 5 * float(values.std()) / values.numel() ** 0.5
    return is_centred and min(abs(kurtosis - UNIFORM), abs(kurtosis - NORMAL)) < allowed


def _last_weights(value: Value) -> set[str]:
    """Name the weights of the last layers that a value comes from."""
    found: set[str] = set()
    waiting, seen = [value], set[int]()
    while waiting:
        op = waiting.pop().producer
        if op is None or op.index in seen:
            continue
        seen.add(op.index)
        names = {name for v in op.inputs for name in _weight_behind(v)}
        found |= names
        if not names:
            waiting.extend(op.inputs)
    return found


def _weight_behind(value: Value) -> set[str]:
    """Name the weight that an operand is, transposed or not."""
    while value.producer is not None and value.producer.is_view and value.producer.inputs:
        value = value.producer.inputs[0]
    is_weight = value.kind == "parameter" and len(value.shape) >= 2
    return {value.name} if is_weight else set()


def _all_frozen(model: nn.Module, frozen: Mapping[str, Tensor], trained: list[Tensor]) -> Fault:
    wholes = list(largest_wholes(frozen, dict(model.named_parameters())).items())
    where = owner_of(*wholes[0]) if len(wholes) == 1 else ""
    values = sum(p.numel() for p in frozen.values())
    return Fault(
        where=where,
        source=assigned_line(model, next(iter(frozen))),
        evidence=f"All {len(frozen)} weights ({values:,} values) are frozen as they were drawn, "
        f"the first being `{next(iter(frozen))}`; only {len(trained)} norms and biases "
        f"({sum(p.numel() for p in trained):,} values) are trained.",
        measured={"weights": len(frozen), "values": values},
        severity=Severity.ERROR,
        at=0,
    )


def _frozen_end(model: nn.Module, path: str, names: list[str]) -> Fault:
    named = ", ".join(f"`{name}`" for name in names[:3]) + ", …" * (len(names) > 3)
    return Fault(
        where=names[0].rpartition(".")[0],
        source=assigned_line(model, names[0]),
        evidence=f"The last layer of the output{f' `{path}`' if path else ''} is frozen as it was "
        f"drawn ({named}), while layers before it are trained.",
        measured={"weights": names},
        at=0,
    )


CHECK = Check(
    id="frozen-parameter",
    summary="weights frozen at their random start",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Freeze by module (`backbone.requires_grad_(False)`) after its weights were loaded, "
    "and print what is left to train: the predicting layers must be among it.",
    find=find_frozen_parameters,
)
