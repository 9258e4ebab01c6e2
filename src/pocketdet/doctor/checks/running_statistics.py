"""Running statistics that stand still, forget at once, or move where all is frozen.

## What it finds
Training passes on a copy, and what they do to BatchNorm's running statistics, or to those that a
user's own norm keeps: statistics of the start that no pass moves; statistics of which one pass
replaces more than half; statistics that move although every parameter of the layer is frozen.

## Why it costs AP
Evaluation uses the running statistics. If they are those of the start, or of the last batch alone,
the network is evaluated with other features than it was trained with: the loss falls and AP does
not rise. A "frozen" backbone whose statistics move is another backbone after an epoch.

## Usual causes
- `momentum=0.99`, TensorFlow's convention: torch's is one minus it.
- `momentum=0`, or a norm that is kept in evaluation mode on a backbone without trained statistics.
- `requires_grad_(False)` on a backbone without `.eval()` on its norms after `.train()`.

## When it is not a fault
`momentum=None` averages all batches. Frozen norms with trained statistics, in evaluation mode, are
right at small batches. Code buffers of other kinds (a codebook) that are replaced at every step.
"""

from collections.abc import Iterator

from torch import nn

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.statistics import Statistics

MOST_FORGOTTEN = 0.55  # a half is used on purpose; .9 and .99 are the other convention


def find_running_statistics(
    model: nn.Module, statistics: tuple[Statistics, ...]
) -> Iterator[Fault]:
    trains = any(parameter.requires_grad for parameter in model.parameters())
    still = [s for s in statistics if not s.moves and s.are_of_the_start and trains]
    forgetful = [s for s in statistics if s.forgets is not None and s.forgets > MOST_FORGOTTEN]
    leaking = [s for s in statistics if s.moves and s.is_frozen and trains and s.was_training]
    for chosen, severity in (
        ([s for s in still if not s.is_frozen], Severity.ERROR),
        ([s for s in still if s.is_frozen], Severity.INFO),  # frozen as a whole, on purpose
    ):
        if chosen:
            yield _fault(
                model,
                chosen,
                "are those of the start (mean 0, variance 1), and training passes do not move "
                "them: evaluation does not normalise",
                severity,
            )
    if forgetful:
        worst = max(s.forgets or 0.0 for s in forgetful)
        yield _fault(
            model,
            forgetful,
            f"are replaced by {worst:.1%} in each training pass: they are those of the last "
            "batch alone",
            Severity.WARNING,
        )
    if leaking:
        yield _fault(
            model,
            leaking,
            "move in training passes, although all of their layer's parameters are frozen",
            Severity.WARNING if model.training else Severity.INFO,
        )


def _fault(model: nn.Module, found: list[Statistics], what: str, severity: Severity) -> Fault:
    names = [statistics.name for statistics in found]
    where = names[0] if len(names) == 1 else _common(names)
    listed = ", ".join(f"`{name}`" for name in names[:3])
    return Fault(
        where=where,
        source=assigned_line(model, names[0]) if names[0] else None,
        evidence=f"The running statistics of {len(names)} norms {what}: {listed}"
        f"{', …' * (len(names) > 3)}.",
        measured={"norms": names, "forgets": max((s.forgets or 0.0) for s in found)},
        severity=severity,
        at=0,
    )


def _common(names: list[str]) -> str:
    parts = [name.split(".") for name in names]
    shared: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared)


CHECK = Check(
    id="running-statistics",
    summary="running statistics that stand still or forget at once",
    stage=Stage.CALIBRATION,
    severity=Severity.WARNING,
    remedy="Use `momentum=0.1` (torch's convention: the share of the new batch), train norms whose "
    "statistics are of the start, and call `.eval()` on the norms of a frozen part after each "
    "`.train()`.",
    find=find_running_statistics,
)
