"""A moving average that does not follow its model.

## What it finds
The average beside the model, by names: what it lacks, statistics that are those of the first day
while the model's have moved, memory that both share, parameters far from the model's while the
others are near, and a coarser number format.

## Why it costs AP
The average is what is evaluated and shipped. With averaged weights and the first day's BatchNorm
statistics AP is near zero, while the model itself trains well.

## Usual causes
- Only `parameters()` are averaged, and the buffers are never copied.
- `average = model` in place of a deep copy: no average at all.
- A head that was replaced after the copy was made.

## When it is not a fault
Averages that are evaluated with the model's own statistics, or after a pass that computes them
anew (SWA's `update_bn`): allow the check, with that reason. An average made just now equals its
model, and is clear.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity

FAR, TIMES_THE_MEDIAN = 0.5, 20.0  # relative distance of one that was never updated
PREFIXES = ("module.", "ema_model.", "model.", "ema.")


def find_stale_averages(model: nn.Module, average: nn.Module) -> Iterator[Fault]:
    now = _tensors(model)
    then = _tensors(average)
    pairs = {name: (value, then[name]) for name, value in now.items() if name in then}
    missing = [name for name in now if name not in then]
    shared = [name for name, (a, b) in pairs.items() if a.numel() and _same_memory(a, b)]
    parameters = dict(model.named_parameters())
    if any(name in parameters for name in shared):
        yield _fault(shared, "share their memory with the model: there is no average of them")
        return
    if missing:
        yield _fault(missing, "of the model are not in the average at all")
    if other := [n for n, (a, b) in pairs.items() if a.shape != b.shape]:
        yield _fault(other, "have another shape in the average")
    if coarse := [n for n, (a, b) in pairs.items() if _is_coarser(a, b)]:
        yield _fault(coarse, "are kept in a coarser format, which loses small steps", warn=True)
    if stale := [n for n, pair in pairs.items() if n not in parameters and _is_stale(n, *pair)]:
        yield _fault(stale, "are those of the start in the average, while the model's have moved")
    if far := _far(pairs, list(parameters)):
        yield _fault(far, "are far from the model's, while the others follow", warn=True)


def _fault(names: list[str], what: str, *, warn: bool = False) -> Fault:
    owners = {name.rpartition(".")[0] for name in names}
    listed = ", ".join(f"`{name}`" for name in names[:3])
    return Fault(
        where=next(iter(owners)) if len(owners) == 1 else "",
        evidence=f"{len(names)} tensors {what}: {listed}{', …' * (len(names) > 3)}.",
        measured={"tensors": len(names)},
        severity=Severity.WARNING if warn else None,
    )


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Give the state by names without the wrapper's prefix."""
    found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    found = {name: value for name, value in found.items() if name != "n_averaged"}
    for prefix in PREFIXES:
        if found and all(name.startswith(prefix) for name in found):
            return {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _same_memory(first: Tensor, second: Tensor) -> bool:
    return first.data_ptr() == second.data_ptr() and first.device == second.device


def _is_coarser(now: Tensor, average: Tensor) -> bool:
    if not (now.is_floating_point() and average.is_floating_point()):
        return False
    return torch.finfo(average.dtype).eps > torch.finfo(now.dtype).eps


def _is_stale(name: str, now: Tensor, average: Tensor) -> bool:
    """Say whether statistics are all 0 or all 1 as at the start, and the model's are not."""
    if not now.is_floating_point() or now.shape != average.shape or not now.numel():
        return False
    starts = [value for value in (0.0, 1.0) if bool((average == value).all())]
    return bool(starts) and not bool((now == starts[0]).all())


def _far(pairs: dict[str, tuple[Tensor, Tensor]], names: list[str]) -> list[str]:
    distances: dict[str, float] = {}
    for name in names:
        if name not in pairs or pairs[name][0].shape != pairs[name][1].shape:
            continue
        now, average = (value.detach().double() for value in pairs[name])
        distances[name] = float((now - average).norm() / (now.norm() + 1e-12))
    if not distances:
        return []
    median = sorted(distances.values())[len(distances) // 2]
    return [n for n, d in distances.items() if d > FAR and d > TIMES_THE_MEDIAN * median > 0]


CHECK = Check(
    id="stale-average",
    summary="a moving average that does not follow its model",
    stage=Stage.CALIBRATION,
    severity=Severity.ERROR,
    remedy="Make the average by `copy.deepcopy`, and at each update move all of `state_dict()`: "
    "floating tensors by the decay, counters copied.",
    find=find_stale_averages,
)
