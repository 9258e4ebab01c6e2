"""What the training loss would be if the classifying heads said one constant everywhere."""

from collections.abc import Callable
from dataclasses import dataclass
import math

import torch
from torch import Tensor

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.trace import Op, Run, Trace, lockstep
from pocketdet.doctor.trace.origin import makers

OF_SIGMOIDS = frozenset(
    {
        "sigmoid", "sigmoid_", "log_sigmoid_forward", "softplus",
        "binary_cross_entropy_with_logits",
    }
)  # fmt: skip
OF_SOFTMAXES = frozenset({"_softmax", "_log_softmax"})
LAYERS = frozenset({"convolution", "addmm", "mm", "linear", "add", "add_"})
CHANCES = (0.5, 0.1, 0.01, 0.001)  # that sigmoids are let say everywhere


@dataclass(frozen=True, kw_only=True, eq=False)
class ConstantLogits:
    """The loss at the start, and with constants in place of logits.

    - `heads`: the operators that make the logits;
    - `loss`, `best`: as it is, and the least over all constants; `chance`: of that constant, None
      for softmaxes, whose constant says all classes alike;
    - `said`: the mean of what the heads say now, as chances (of sigmoids).
    """

    heads: tuple[Op, ...]
    loss: float
    best: float
    chance: float | None
    said: float


def constant_logits(training_trace: Trace) -> tuple[ConstantLogits, ...]:
    """Replay the loss with constants, for the sigmoids and for the softmaxes that it takes."""
    if [v.numel for v in training_trace.outputs.values()] != [1]:
        raise NotObservable("the loss is not one number")
    found: list[ConstantLogits] = []
    for names, chances in ((OF_SIGMOIDS, CHANCES), (OF_SOFTMAXES, (None,))):
        heads = _heads(training_trace, names)
        if heads:
            found.append(_replayed(training_trace, heads, chances))
    if not found:
        raise NotObservable("the loss takes no logits of a layer's")
    return tuple(found)


def _heads(trace: Trace, names: frozenset[str]) -> list[Op]:
    """Give the layers whose results the loss, outside of the model, squashes."""
    to_loss = trace.leads_to(list(trace.outputs.values()))
    heads: dict[int, Op] = {}
    for op in trace.named(*names):
        if op.where is not None or op.index not in to_loss or not op.inputs:
            continue
        sources = list(makers(op.inputs[0]))
        if sources and all(s.name in LAYERS and s.where is not None for s in sources):
            heads |= {source.index: source for source in sources}
    return [heads[index] for index in sorted(heads)]


def _replayed(trace: Trace, heads: list[Op], chances: tuple[float | None, ...]) -> ConstantLogits:
    changes = [_constant(chance) for chance in chances]
    runs = [Run(trace)]
    runs += [Run(trace, changes={head.index: change for head in heads}) for change in changes]
    after = trace.follows_from([v for head in heads for v in head.outputs])
    after |= {head.index for head in heads}
    said: list[Tensor] = []

    def is_shared(op: Op) -> bool:
        """Compute once what no head decides; a view shared would not see what is written to it."""
        is_fresh = not op.is_view and not op.is_in_place
        return op.is_random or (op.index not in after and is_fresh)

    try:
        for op, results in lockstep(trace, runs, shares=is_shared):
            if op in heads:
                said.append(results[0][0].detach().double().sigmoid().mean())
        losses = [float(next(iter(run.outputs(trace).values()))) for run in runs]
    except (RuntimeError, KeyError, IndexError, StopIteration) as error:
        raise NotObservable("the loss cannot be replayed with other logits") from error
    tried = list(zip(losses[1:], chances, strict=True))
    finite = [pair for pair in tried if math.isfinite(pair[0])]
    if not math.isfinite(losses[0]) or not finite:
        raise NotObservable("the loss is no finite number")
    best, chance = min(finite, key=lambda pair: pair[0])
    return ConstantLogits(
        heads=tuple(heads),
        loss=losses[0],
        best=best,
        chance=chance,
        said=float(torch.stack(said).mean()),
    )


def _constant(chance: float | None) -> Callable[[Tensor], Tensor]:
    value = 0.0 if chance is None else math.log(chance / (1 - chance))
    return lambda logits: torch.full_like(logits, value)
