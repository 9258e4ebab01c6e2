"""A trainable parameter that no gradient of the training loss reaches.

## What it finds
Parameters with `requires_grad=True` for which autograd gives no gradient at all, over several
steps and batches; told apart by the recorded pass: never read by an operator, read and not part of
the loss, or cut off from the loss by an operator that gradients do not pass.

## Why it costs AP
The module is built, counted and saved, but training never moves it: the network keeps its random
start there, or does not use it. The loss still falls, because the rest learns around the hole.

## Usual causes
- A new block is assigned in `__init__`, and `forward` still calls the old one.
- The block's output passes through `.detach()`, `.data`, `torch.no_grad()`, numpy or `.item()`.
- A pyramid level or an output is computed and then left out of the loss.
- The loss runs another model than the one it is given.

## When it is not a fault
A part that is frozen on purpose: call `requires_grad_(False)` on it, and this check will not look
at it. Parameters for another way of calling the network (a mask token, a pooler) are told as
`info` or `warning`; a teacher that mirrors a trained part, under `torch.no_grad()`, and the scale
of a level that has no object in these batches, as `info`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import re

from torch import nn
from torch.optim import Optimizer

from pocketdet.doctor.attributes import assigned_line, is_read_by_its_class
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.cuts import Way, name_of_cut, way_of
from pocketdet.doctor.finding import Fault, Severity, SourceLine
from pocketdet.doctor.observations.learning import Learning
from pocketdet.doctor.trace import Trace
from pocketdet.doctor.wholes import is_in, largest_wholes, owner_of

LEAST_EFFECT = 1e-7  # relative change of the loss that says: it does depend on this

FEW_VALUES = 64  # a scale or a bias; a forgotten layer has more


def find_unreached_parameters(
    model: nn.Module,
    learning: Learning,
    training_trace: Trace,
    trace: Trace,
    optimizer: Optimizer | None = None,
) -> Iterator[Fault]:
    stories = learning.parameters
    unreached = [name for name, story in stories.items() if story.is_unreached]
    optimized = _optimized(model, optimizer)
    seen_cuts: set[int] = set()
    for whole, names in largest_wholes(unreached, stories).items():
        way = way_of(names, training_trace)
        effect = max(stories[name].effect for name in names)
        if way.cut is not None and way.cut.index in seen_cuts:
            continue
        if way.cut is not None:
            seen_cuts.add(way.cut.index)
        is_teacher = optimized is not None and not any(name in optimized for name in names)
        is_teacher = is_teacher or _mirrors_a_trained_part(whole, names, learning)
        severity, reason = _judged(model, whole, names, way, effect, trace)
        if way.is_read and not way.leads_to_loss and _may_be_reached_another_time(names, learning):
            severity = Severity.INFO
            reason += " The same parameter of another level is reached: this batch may not ask."
        if is_teacher and way.is_read:
            severity = Severity.INFO
        yield _fault(model, _Unreached(whole, names, way), severity, reason, learning)


def _may_be_reached_another_time(names: list[str], learning: Learning) -> bool:
    """Say whether these are a few numbers of one level, such as a scale, and another's learn.

    A loss that looks at the rows of objects alone leaves a level out that has none in the batch.
    """
    stories = learning.parameters
    if sum(stories[name].numel for name in names) > FEW_VALUES:
        return False
    reached = {_of_any_level(n) for n, story in stories.items() if not story.is_unreached}
    return all(_of_any_level(name) in reached for name in names)


def _of_any_level(name: str) -> str:
    return re.sub(r"(^|\.)\d+(?=\.|$)", r"\1#", name)


def _optimized(model: nn.Module, optimizer: Optimizer | None) -> set[str] | None:
    if optimizer is None:
        return None
    ids = {id(p) for group in optimizer.param_groups for p in group["params"]}
    return {name for name, p in model.named_parameters() if id(p) in ids}


def _mirrors_a_trained_part(whole: str, names: list[str], learning: Learning) -> bool:
    """Say whether another module has the same parameters and is trained: a teacher's student."""
    if whole in names or not whole or whole.rpartition(".")[2].isdigit():
        return False  # the next item of a list is no student
    inner = [name.removeprefix(f"{whole}.") for name in names]
    shapes = [learning.parameters[name].shape for name in names]
    for name in learning.parameters:
        if name.endswith(f".{inner[0]}") and not is_in(name, whole):
            other = name.removesuffix(f".{inner[0]}")
            stories = [learning.parameters.get(f"{other}.{part}") for part in inner]
            trained = [s.shape for s in stories if s is not None and not s.is_unreached]
            if trained == shapes and other.rpartition(".")[0] == whole.rpartition(".")[0]:
                return True
    return False


def _judged(
    model: nn.Module, whole: str, names: list[str], way: Way, effect: float, trace: Trace
) -> tuple[Severity, str]:
    if way.is_read and (way.leads_to_loss or effect > LEAST_EFFECT):
        changed = f" Changing them changes the loss by {effect:.1%}." if effect else ""
        by = f"{name_of_cut(way.cut)} cuts" if way.cut else "a step that torch does not see cuts"
        return Severity.ERROR, f"the loss is computed from them, and {by} the way back.{changed}"
    used = {v.name for v in trace.leaves if v.kind == "parameter" and v.consumers}
    if way.is_read:
        returned = any(names[0] in trace.parameters_behind(v) for v in trace.outputs.values())
        if returned:
            return Severity.WARNING, "an output is made of them, and the loss never looks at it."
        return Severity.WARNING, "what is computed with them is never used."
    if not whole:
        return Severity.ERROR, "the loss never runs the model that it is given."
    if any(name in used for name in names):
        return Severity.ERROR, "evaluation uses them, and the training pass does not."
    if not is_read_by_its_class(model, whole):
        return Severity.ERROR, "no operator reads them: nothing but `__init__` mentions them."
    severity = Severity.INFO if whole in names else Severity.WARNING
    return severity, "no operator of a training pass reads them, nor of one in evaluation mode."


@dataclass(frozen=True)
class _Unreached:
    """A whole module, its parameters, and their way through the recorded pass."""

    whole: str
    names: list[str]
    way: Way


def _fault(
    model: nn.Module, part: _Unreached, severity: Severity, reason: str, learning: Learning
) -> Fault:
    whole, names, way = part.whole, part.names, part.way
    stories = learning.parameters
    values = sum(stories[name].numel for name in names)
    share = values / max(1, sum(story.numel for story in stories.values()))
    cut = way.cut if severity is not Severity.WARNING else None
    what = f"`{whole}`" if whole else "The whole network"
    return Fault(
        where=(cut.where if cut else None) or owner_of(whole, names),
        source=cut.source if cut and cut.source else _place(model, whole, way),
        evidence=f"{what} gets no gradient from the training loss in any of "
        f"{max(1, len(learning.losses))} steps ({len(names)} parameters, {values:,} values, "
        f"{share:.1%} of what is to be trained): {reason}",
        measured={"parameters": len(names), "values": values, "share": share},
        severity=severity,
        at=cut.index if cut else (way.end.index if way.end else 0),
    )


def _place(model: nn.Module, whole: str, way: Way) -> SourceLine | None:
    if way.is_read and way.end is not None and way.end.source is not None:
        return way.end.source
    return assigned_line(model, whole) if whole else None


CHECK = Check(
    id="unreached-parameter",
    summary="parameters that the training loss never reaches",
    stage=Stage.REACHABILITY,
    severity=Severity.ERROR,
    remedy="Call the module in `forward`, or delete it; if its output is detached, remove the "
    "detach; if it is frozen on purpose, set `requires_grad_(False)`.",
    find=find_unreached_parameters,
)
