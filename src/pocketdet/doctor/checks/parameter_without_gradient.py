"""A trainable parameter whose gradient is always zero.

## What it finds
Parameters that autograd follows to the loss, and whose gradient is nothing in every one of several
steps and batches; and whether it stays nothing in double precision, on other weights.

## Why it costs AP
What is built and computed never learns: it keeps its random start, or its zero. Every shape is
right and the loss falls, because the rest learns around it.

## Usual causes
- `round`, `sign`, a comparison or a hard threshold between the parameters and the loss.
- A gate or a branch whose effect is cancelled, or multiplied by zero.
- Two factors that both start at zero: neither lets a gradient through to the other.
- Units that are dead from the start: a bias far below zero before a ReLU.

## When it is not a fault
A bias before a softmax or a norm has a gradient of exactly zero by arithmetic: it is left alone
where the weight beside it learns. A gate that starts at zero opens after one step, and is silent;
so is what has one place only in images of this size. Where the same part of another layer learns
(the first self-attention of DETR's decoder, whose queries start at zero) it is told as `info`.
"""

from collections.abc import Iterator
import re

from torch import nn

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.cuts import first_flat
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.learning import VANISHED, Learning, ParameterLearning
from pocketdet.doctor.trace import Op, Trace
from pocketdet.doctor.wholes import largest_wholes, owner_of


def find_parameters_without_gradient(
    model: nn.Module, learning: Learning, training_trace: Trace
) -> Iterator[Fault]:
    stories = learning.parameters
    still = [name for name, story in stories.items() if _is_fault(story, stories)]
    for whole, names in largest_wholes(still, stories).items():
        leaves = [v for v in training_trace.leaves if v.kind == "parameter" and v.name in names]
        flat = first_flat(leaves, training_trace)
        group = [stories[name] for name in names]
        severity, reason = _judged(group, flat, learning)
        reader = min((op.index for v in leaves for op in v.consumers), default=0)
        source = flat.source if flat else assigned_line(model, whole or names[0])
        values = sum(story.numel for story in group)
        yield Fault(
            where=(flat.where or owner_of(whole, names)) if flat else owner_of(whole, names),
            source=source,
            evidence=f"The gradient of `{whole or 'the model'}` ({len(names)} parameters, "
            f"{values:,} values) is zero in each of {len(learning.losses)} training steps"
            f"{reason}",
            measured={"parameters": len(names), "values": values},
            severity=severity,
            at=flat.index if flat else reader,
        )


def _is_fault(story: ParameterLearning, stories: dict[str, ParameterLearning]) -> bool:
    if not story.is_still or _can_learn(story):
        return False
    if any(_can_learn(w) or not _is_nothing(w) for w in _weights_beside(story, stories)):
        return False  # a bias before a norm or a softmax: a shift that is taken out again
    return _is_nothing(story)


def _is_nothing(story: ParameterLearning) -> bool:
    """Say whether its gradient is zero by structure or to the last bit, and not only faint."""
    return story.is_still_when_shaken or story.is_exactly_zero


def _weights_beside(
    story: ParameterLearning, stories: dict[str, ParameterLearning]
) -> list[ParameterLearning]:
    """Give what a vector stands beside, as a bias does beside its weight."""
    if max((*story.shape, 1)) != story.numel:
        return []
    owner = story.name.rpartition(".")[0]
    beside = [s for name, s in stories.items() if name.rpartition(".")[0] == owner]
    return [s for s in beside if s is not story and s.numel >= story.numel]


def _can_learn(story: ParameterLearning) -> bool:
    """Say whether it got gradients, or does on larger images."""
    if story.is_still or story.is_unreached:
        return story.is_still_when_shaken and (story.on_larger or 0.0) > VANISHED
    return True


def _judged(
    group: list[ParameterLearning], flat: Op | None, learning: Learning
) -> tuple[Severity, str]:
    if flat is not None:
        return Severity.ERROR, f": `{flat.name}`, whose derivative is zero, is on its way."
    if not all(story.is_still_when_shaken for story in group):
        if all(story.starts_at_zero for story in group):
            return Severity.ERROR, ": it starts at zero, as does what it is multiplied with."
        is_alive = any(_a_neighbour_learns(story, learning.parameters) for story in group)
        severity = Severity.INFO if is_alive else Severity.WARNING
        return severity, ", though on other weights it would not be: it starts dead."
    stories = learning.parameters
    weights = [story for story in group if not _weights_beside(story, stories)] or group
    if all(_has_a_twin_that_learns(story, stories) for story in weights):
        return Severity.INFO, ", while the same part of another layer learns."
    return Severity.ERROR, ", and stays so in double precision on other weights."


def _a_neighbour_learns(story: ParameterLearning, stories: dict[str, ParameterLearning]) -> bool:
    """Say whether its bias learns: the way is open, and what comes in is zero for this batch."""
    owner = story.name.rpartition(".")[0]
    return any(n.rpartition(".")[0] == owner and _can_learn(s) for n, s in stories.items())


def _has_a_twin_that_learns(
    story: ParameterLearning, stories: dict[str, ParameterLearning]
) -> bool:
    """Say whether the same parameter of another layer learns: `layers.1.q` beside `layers.0.q`."""

    def pattern(name: str) -> str:
        return re.sub(r"(^|\.)\d+(?=\.)", r"\1#", name)

    wanted = pattern(story.name)
    return any(pattern(other.name) == wanted and _can_learn(other) for other in stories.values())


CHECK = Check(
    id="parameter-without-gradient",
    summary="parameters whose gradient is always zero",
    stage=Stage.REACHABILITY,
    severity=Severity.ERROR,
    remedy="Look at what stands between it and the loss: replace the hard step by a smooth one, "
    "let one of two factors start away from zero, or remove the module if it does nothing.",
    find=find_parameters_without_gradient,
    explained_by=("softmax-over-one", "norm-over-one", "cancelled-gate", "squashed-gate"),
)
