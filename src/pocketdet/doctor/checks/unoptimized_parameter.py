"""A trainable parameter that the optimizer does not have.

## What it finds
Parameters with `requires_grad=True` that are in no group of the given optimizer, and what the
optimizer has in their place: parameters that are not the model's.

## Why it costs AP
They keep their random start, while the rest learns around them.

## Usual causes
- Groups listed by hand, and a new module (`neck.up`) is in none of them.
- The optimizer was made before a head was replaced, or for another copy of the model.
- A filter by name or kind of module that matches less than was meant.

## When it is not a fault
A part that another optimizer trains (a discriminator): allow the check, with that reason. A part
that is frozen on purpose: say so by `requires_grad_(False)`. Parameters of the loss in the
optimizer, besides all of the model's, are told as `info`.
"""

from collections.abc import Iterator

from torch import nn
from torch.optim import Optimizer

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.learning import Learning, trainable_of
from pocketdet.doctor.trace.module_names import common_module, hidden_modules
from pocketdet.doctor.wholes import largest_wholes, owner_of

LEAST_OF_A_KIND = 4  # parameters of one name: a rule on names left them out, and no part of the net


def find_unoptimized_parameters(
    model: nn.Module, optimizer: Optimizer, learning: Learning | None = None
) -> Iterator[Fault]:
    trainable = trainable_of(model)
    listed = [p for group in optimizer.param_groups for p in group["params"]]
    ids = {id(parameter) for parameter in listed}
    missing = [name for name, parameter in trainable.items() if id(parameter) not in ids]
    hidden = [p for _, module in hidden_modules(model) for p in module.parameters()]
    own = {id(p) for p in (*model.parameters(), *hidden)}
    foreign = [p for p in listed if id(p) not in own]
    stories = learning.parameters if learning is not None else {}
    kind = _kind(missing, list(trainable))
    if kind is not None:
        owners = [name.rpartition(".")[0] for name in missing]
        yield Fault(
            where=common_module(owners),
            evidence=f"All {len(missing)} parameters named `{kind}` are in no group of the "
            f"optimizer: `{missing[0]}`, `{missing[1]}`, ….{_in_their_place(foreign)}",
            measured={"parameters": len(missing), "foreign": len(foreign)},
            at=0,
        )
        return
    for whole, names in largest_wholes(missing, trainable).items():
        values = sum(trainable[name].numel() for name in names)
        share = values / sum(p.numel() for p in trainable.values())
        is_unreached = bool(stories) and all(stories[name].is_unreached for name in names)
        yield Fault(
            where=owner_of(whole, names),
            source=assigned_line(model, whole) if whole else None,
            evidence=f"`{whole or 'The whole model'}` is in no group of the optimizer "
            f"({len(names)} parameters, {values:,} values, {share:.1%} of what is to be trained)."
            + _in_their_place(foreign),
            measured={"parameters": len(names), "values": values, "foreign": len(foreign)},
            severity=Severity.INFO if is_unreached else None,
            at=0,
        )
    if foreign and not missing:
        yield Fault(
            where="",
            evidence=f"The optimizer has all of the model's parameters, and {len(foreign)} others.",
            measured={"foreign": len(foreign)},
            severity=Severity.INFO,
        )


def _kind(missing: list[str], every: list[str]) -> str | None:
    """Give the last part of the names where all that are missing are all that have it."""
    kinds = {name.rpartition(".")[2] for name in missing}
    if len(kinds) != 1 or len(missing) < LEAST_OF_A_KIND or len(missing) == len(every):
        return None
    (kind,) = kinds
    same = [name for name in every if name.rpartition(".")[2] == kind]
    return kind if len(same) == len(missing) else None


def _in_their_place(foreign: list[nn.Parameter]) -> str:
    if not foreign:
        return ""
    return (
        f" It has {len(foreign)} parameters that are not the model's: it was made for another "
        "model, or before a part of this one was replaced."
    )


CHECK = Check(
    id="unoptimized-parameter",
    summary="parameters that the optimizer does not have",
    stage=Stage.REACHABILITY,
    severity=Severity.ERROR,
    remedy="Make the optimizer from `model.parameters()` after the last change of the model; with "
    "groups, put what no rule matches into the last one and compare the counts.",
    find=find_unoptimized_parameters,
)
