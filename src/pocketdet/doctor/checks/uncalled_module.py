"""A module that forward never runs, in evaluation or in training mode.

## What it finds
Registered modules with parameters of which no operator reads one, in either mode, whole modules
first; and activations that are registered and never run, which is an `info` unless layers follow
each other without one there. With a `training_loss`, `unreached-parameter` tells of the parameters.

## Why it costs AP
The attention, neck or activation is built, counted and saved, and the network is the one without
it. The comparison with the old network then compares two times the same.

## Usual causes
- A new block is assigned in `__init__`, and `forward` still calls the old one.
- `self.act = nn.ReLU()` without `self.act(...)`.

## When it is not a fault
Parts for another way of calling the network, which another method than `__init__` mentions (a
decoder for labels, a mask token), are told as `info`; frozen parts too.
"""

from collections.abc import Iterator

from torch import nn

from pocketdet.doctor.attributes import assigned_line, is_read_by_its_class
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.linear_stacks import LinearStack
from pocketdet.doctor.observations.training_pass import TrainingPass
from pocketdet.doctor.trace import Trace
from pocketdet.doctor.wholes import is_in, largest_wholes


def find_uncalled_modules(
    model: nn.Module,
    trace: Trace,
    linear_stacks: tuple[LinearStack, ...],
    training_pass: TrainingPass | None = None,
) -> Iterator[Fault]:
    passes = [trace, *([training_pass.trace] if training_pass else [])]
    if training_pass is None or not training_pass.has_loss:
        yield from _unread(model, passes)
    called = {name for one in passes for name in one.called}
    linear = {s.second.where or "" for s in linear_stacks if s.explanation is None}
    yield from _silent_activations(model, called, linear)


def _unread(model: nn.Module, passes: list[Trace]) -> Iterator[Fault]:
    read = {v.name for one in passes for v in one.leaves if v.kind == "parameter" and v.consumers}
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    if not read:
        return
    for whole, names in largest_wholes([n for n in sizes if n not in read], sizes).items():
        if whole in names or not whole:
            continue
        values = sum(sizes[name] for name in names)
        parameters = dict(model.named_parameters())
        is_meant = is_read_by_its_class(model, whole)
        is_frozen = not any(parameters[name].requires_grad for name in names)
        yield Fault(
            where=whole,
            source=assigned_line(model, whole),
            evidence=f"No operator of a pass reads any of its {len(names)} parameters "
            f"({values:,} values, {values / sum(sizes.values()):.1%} of the network), in either "
            f"mode{'' if is_meant else ', and nothing but `__init__` mentions it'}.",
            measured={"parameters": len(names), "values": values},
            severity=Severity.INFO if is_meant or is_frozen else Severity.WARNING,
        )


def _silent_activations(model: nn.Module, called: set[str], linear: set[str]) -> Iterator[Fault]:
    names = dict(model.named_modules())
    for name, module in names.items():
        if type(module).__module__ != "torch.nn.modules.activation" or name in called:
            continue
        owner = name.rpartition(".")[0]
        has_parameters = next(module.parameters(), None) is not None
        if owner not in called or has_parameters or is_read_by_its_class(model, name):
            continue
        is_missed = any(is_in(where, owner) for where in linear)
        yield Fault(
            where=name,
            source=assigned_line(model, name),
            evidence=f"`{type(module).__name__}` is registered here and never called, and nothing "
            "but `__init__` mentions it."
            + (" Layers follow each other without one there." if is_missed else ""),
            severity=Severity.WARNING if is_missed else Severity.INFO,
        )


CHECK = Check(
    id="uncalled-module",
    summary="a module that forward never runs",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Call it in `forward`, or delete it.",
    find=find_uncalled_modules,
)
