"""Settings of the optimizer with which nothing can be learnt.

## What it finds
A learning rate of zero without a schedule that raises it, an optimizer that climbs the loss, a
momentum of 1 or more, Adam's two betas exchanged, a step or a weight decay beyond all use; and
parameters that do not change, or a loss that is no number, in a few of its own steps on a copy.

## Why it costs AP
The network stays as it started, or is destroyed within a few steps.

## Usual causes
- A group whose rate is a product with a factor of zero.
- Settings of SGD given to Adam (`lr=0.1`), or of AdamW's decay to SGD (`weight_decay=0.05` is
  a thousandth of the weights in each step of rate .02).
- A rate so small that the sum of it and the weight is the weight in half precision.

## When it is not a fault
A warm-up that starts at zero: a scheduler leaves its `initial_lr` in the groups, and the check is
silent. A loss that rises in the first steps is not looked at, as long as it is a number.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.optim import Optimizer

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.optimizing import Optimizing
from pocketdet.doctor.wholes import largest_wholes, owner_of

LARGEST_RATE_OF_ADAM = 0.1  # each step moves every value by this much
LARGEST_RATE = 10.0
LARGEST_DECAY = 0.5  # of a weight, in one step of rate 1: decoupled recipes stay at .3
LARGEST_L2 = 0.05  # added to the gradient; recipes stay at 1e-3
NEARLY_ONE = 0.9999  # momentum; a running mean over 10 000 steps


def find_optimizer_settings(
    model: nn.Module, optimizer: Optimizer, optimizing: Optimizing | None = None
) -> Iterator[Fault]:
    for number, group in enumerate(optimizer.param_groups):
        name = group.get("name", number)
        if not any(p.requires_grad for p in group["params"]):
            continue
        for severity, what in _odd(group, type(optimizer).__name__):
            yield Fault(
                where=_where(model, group),
                evidence=f"Group {name!r} of the optimizer ({len(group['params'])} parameters) "
                f"has {what}.",
                measured={"group": str(name)},
                severity=severity,
            )
    if optimizing is not None:
        yield from _measured(model, optimizing)


def _where(model: nn.Module, group: dict[str, Any]) -> str:
    ids = {id(p) for p in group["params"]}
    every = dict(model.named_parameters())
    names = [name for name, p in every.items() if id(p) in ids]
    wholes = largest_wholes(names, every)
    return owner_of(*next(iter(wholes.items()))) if len(wholes) == 1 else ""


def _odd(group: dict[str, Any], kind: str) -> Iterator[tuple[Severity, str]]:
    rate = float(group.get("lr", 1.0))
    if rate == 0 and not group.get("initial_lr"):
        yield Severity.ERROR, "a learning rate of 0, and no schedule that raises it"
    if group.get("maximize"):
        yield Severity.ERROR, "`maximize=True`: it climbs the loss"
    betas = group.get("betas")
    is_adam = betas is not None
    most = LARGEST_RATE_OF_ADAM if is_adam else LARGEST_RATE
    if rate > most and kind != "Adadelta":
        yield Severity.WARNING, f"a learning rate of {rate:g}, where {kind} takes {most:g} at most"
    momentum = max(float(group.get("momentum", 0.0) or 0.0), float(betas[0]) if betas else 0.0)
    if momentum > NEARLY_ONE:
        yield Severity.ERROR, f"a momentum of {momentum:g}: steps are added up and never forgotten"
    if betas and float(betas[0]) > float(betas[1]):
        yield Severity.WARNING, f"betas {tuple(betas)}, the first above the second: exchanged"
    decay = float(group.get("weight_decay", 0.0))
    is_decoupled = bool(group.get("decoupled_weight_decay")) or kind.endswith("W")
    if decay > (LARGEST_DECAY if is_decoupled else LARGEST_L2):
        yield Severity.WARNING, f"a weight decay of {decay:g}, which outweighs most gradients"


def _measured(model: nn.Module, optimizing: Optimizing) -> Iterator[Fault]:
    if optimizing.first_bad_step is not None:
        yield Fault(
            where="",
            evidence=f"The loss was {optimizing.losses[0]:.3g} and is no finite number after "
            f"{optimizing.first_bad_step} steps of this optimizer on one batch.",
            measured={"losses": list(optimizing.losses)},
        )
        return
    for whole, names in largest_wholes(optimizing.unmoved, optimizing.names).items():
        yield Fault(
            where=owner_of(whole, names),
            source=assigned_line(model, whole) if whole else None,
            evidence=f"`{whole or 'The whole model'}` ({len(names)} parameters) has gradients and "
            f"is in the optimizer, and not one value changed in {len(optimizing.losses)} steps.",
            measured={"parameters": len(names)},
        )


CHECK = Check(
    id="optimizer-settings",
    summary="an optimizer that cannot train what it has",
    stage=Stage.REACHABILITY,
    severity=Severity.ERROR,
    remedy="Set the rate, momentum and decay of each group to what its kind of optimizer takes, "
    "and print one step's relative change for each group: near a thousandth is usual.",
    find=find_optimizer_settings,
)
