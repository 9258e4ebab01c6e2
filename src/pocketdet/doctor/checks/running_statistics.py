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
`momentum=None` averages all batches. Frozen norms in evaluation mode are right at small batches,
and so are those of an average of another part. Code buffers of other kinds (a codebook) may be
replaced at every step.
"""

from collections.abc import Iterator

from torch import nn

from pocketdet.doctor.attributes import assigned_line, line_of_number
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity, SourceLine
from pocketdet.doctor.observations.statistics import Statistics
from pocketdet.doctor.trace import Trace
from pocketdet.doctor.trace.module_names import common_module

MOST_FORGOTTEN = 0.55  # a half is used on purpose; .9 and .99 are the other convention


def find_running_statistics(
    model: nn.Module, statistics: tuple[Statistics, ...], trace: Trace
) -> Iterator[Fault]:
    trains = any(parameter.requires_grad for parameter in model.parameters())
    statistics = tuple(s for s in statistics if s.moves or s.name in trace.called)
    used = {value.name for value in trace.leaves if value.kind == "buffer" and value.consumers}
    still = [s for s in statistics if not s.moves and s.are_of_the_start and trains]
    stale = [s for s in still if s.is_frozen and _is_used(s, used) and _twin(s, statistics)]
    frozen = [s for s in statistics if s.moves and s.is_frozen and trains and s.was_training]
    forgetful = [s for s in statistics if (s.forgets or 0.0) > MOST_FORGOTTEN]
    forgetful = [s for s in forgetful if _is_used(s, used)]
    most = max((s.forgets or 0.0 for s in forgetful), default=0.0)
    for chosen, severity, what in (
        ([s for s in still if not s.is_frozen], Severity.ERROR, STILL),
        (stale, Severity.WARNING, STALE),
        ([s for s in still if s.is_frozen and s not in stale], Severity.INFO, STILL),  # on purpose
        (forgetful, Severity.WARNING, FORGETFUL.format(most)),
        (
            [s for s in frozen if not _twin(s, statistics)],
            Severity.WARNING if model.training else Severity.INFO,
            LEAKING,
        ),
    ):
        if chosen:
            yield _fault(model, chosen, what, severity)


STILL = (
    "are those of the start (mean 0, variance 1), and training passes do not move them: "
    "evaluation does not normalise"
)
STALE = (
    "are those of the start (mean 0, variance 1) in what evaluation uses, and training passes "
    "move only those of the part that it mirrors"
)
FORGETFUL = "are replaced by {:.1%} in each training pass: they are those of the last batch alone"
LEAKING = "move in training passes, although all of their layer's parameters are frozen"


def _is_used(statistics: Statistics, used: set[str]) -> bool:
    return any(name.rpartition(".")[0] == statistics.name for name in used)


def _twin(frozen: Statistics, every: tuple[Statistics, ...]) -> bool:
    """Say whether it is the average of another part: the same names below another module."""
    parts = frozen.name.split(".")
    rests = [".".join(parts[depth:]) for depth in range(1, len(parts))]
    return any(
        other.moves and not other.is_frozen and other.name.endswith(f".{rest}")
        for rest in rests[:1]
        for other in every
    )


def _fault(model: nn.Module, found: list[Statistics], what: str, severity: Severity) -> Fault:
    names = [statistics.name for statistics in found]
    where = common_module(names) or names[0]
    listed = ", ".join(f"`{name}`" for name in names[:3])
    return Fault(
        where=where,
        source=_momentum_line(model, found)
        or (assigned_line(model, names[0]) if names[0] else None),
        evidence=f"The running statistics of {len(names)} norms {what}: {listed}"
        f"{', …' * (len(names) > 3)}.",
        measured={"norms": names, "forgets": max((s.forgets or 0.0) for s in found)},
        severity=severity,
        at=0,
    )


def _momentum_line(model: nn.Module, found: list[Statistics]) -> SourceLine | None:
    """Give the line that sets the momentum of norms that forget, where there is just one."""
    norm = model.get_submodule(found[0].name)
    momentum = getattr(norm, "momentum", None)
    if not isinstance(momentum, float) or (found[0].forgets or 0.0) <= MOST_FORGOTTEN:
        return None
    return line_of_number(model, "momentum", momentum)


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
