"""Modules that the network uses, and that torch does not know of.

## What it finds
Modules with trainable parameters in a plain list, tuple, dict or other attribute that torch does
not look into, through which gradients of the outputs flow.

## Why it costs AP
`parameters()` does not give them, so that no optimizer trains them; `state_dict()` does not save
them, `.to(device)` does not move them, and `.eval()` does not reach them. The network trains
around random layers, and a reloaded one has others.

## Usual causes
- `self.blocks = [Block() for _ in range(n)]` in place of `nn.ModuleList(...)`.
- A dict of heads in place of `nn.ModuleDict`.
- `nn.ModuleList` made, and then replaced by a slice, a `list(...)` or a sorted copy.

## When it is not a fault
A frozen network, or one that runs under `torch.no_grad()`, kept in a list so that it is not saved:
a teacher, a perceptual loss. No gradient reaches it, and this check is silent.
"""

from collections.abc import Iterator

from torch.optim import Optimizer

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.unregistered import Unregistered


def find_unregistered_modules(
    unregistered: Unregistered, optimizer: Optimizer | None = None
) -> Iterator[Fault]:
    groups = optimizer.param_groups if optimizer is not None else []
    optimized = {id(parameter) for group in groups for parameter in group["params"]}
    for hidden in unregistered.modules:
        if not hidden.weights or not hidden.learns:
            continue
        is_optimized = all(id(weight) in optimized for weight in hidden.weights)
        values = sum(weight.numel() for weight in hidden.weights)
        count = len(hidden.kinds)
        what = f"{count} modules" if count > 1 else f"a module `{hidden.kinds[0]}`"
        yield Fault(
            where=hidden.name,
            source=hidden.source,
            evidence=f"`{hidden.name}` holds {what} with {values:,} trainable values that are not "
            "registered"
            + (
                ": the optimizer has them, but `state_dict()`, `.to()` and `.eval()` pass them by."
                if is_optimized
                else ": `parameters()` does not give them, and no optimizer made from it trains "
                "them."
            ),
            measured={"modules": count, "values": values},
            severity=Severity.WARNING if is_optimized else None,
            at=0,
        )


CHECK = Check(
    id="unregistered-module",
    summary="modules in a plain list or dict, which are never trained",
    stage=Stage.REACHABILITY,
    severity=Severity.ERROR,
    remedy="Hold them in an `nn.ModuleList` or `nn.ModuleDict`, or assign them as attributes.",
    find=find_unregistered_modules,
)
