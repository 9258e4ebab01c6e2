"""What the training loss would be if the classifying heads said one constant everywhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
import math

import torch
from torch import Tensor

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.trace import Op, Run, Trace
from pocketdet.doctor.trace.origin import makers
from pocketdet.doctor.trace.replay import Fork, forked

OF_SIGMOIDS = frozenset(
    {
        "sigmoid", "sigmoid_", "log_sigmoid_forward", "softplus",
        "binary_cross_entropy_with_logits",
    }
)  # fmt: skip
OF_SOFTMAXES = frozenset({"_softmax", "_log_softmax"})
LAYERS = frozenset({"convolution", "addmm", "mm", "linear", "add", "add_"})
Group = tuple[list[Op], tuple[float | None, ...]]  # the heads, and what they are let say
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
    groups: list[Group] = [
        (heads, chances)
        for names, chances in ((OF_SIGMOIDS, CHANCES), (OF_SOFTMAXES, (None,)))
        if (heads := _heads(training_trace, names))
    ]
    if not groups:
        raise NotObservable("the loss takes no logits of a layer's")
    return tuple(_replayed(training_trace, groups))


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


def _replayed(trace: Trace, groups: Sequence[Group]) -> Iterator[ConstantLogits]:
    """Run the record once up to the heads, and from there once for each constant besides."""
    base = Run(trace)
    forks = [
        [
            Fork(base=base, changes=dict.fromkeys([h.index for h in heads], _constant(c)))
            for c in chances
        ]
        for heads, chances in groups
    ]
    changed = {head.index for heads, _ in groups for head in heads}
    said: dict[int, float] = {}
    try:
        for op, results in forked(trace, base, [f for some in forks for f in some], changed):
            if op.index in changed:
                said[op.index] = float(results[0].double().sigmoid().mean())
        start = float(next(iter(base.outputs(trace).values())))
        losses = [[float(next(iter(f.outputs(trace).values()))) for f in some] for some in forks]
    except (RuntimeError, KeyError, IndexError, StopIteration, ValueError) as error:
        raise NotObservable("the loss cannot be replayed with other logits") from error
    for (heads, chances), some in zip(groups, losses, strict=True):
        finite = [p for p in zip(some, chances, strict=True) if math.isfinite(p[0])]
        if not math.isfinite(start) or not finite:
            raise NotObservable("the loss is no finite number")
        best, chance = min(finite, key=lambda pair: pair[0])
        mean = sum(said[head.index] for head in heads) / len(heads)
        yield ConstantLogits(heads=tuple(heads), loss=start, best=best, chance=chance, said=mean)


def _constant(chance: float | None) -> Callable[[Tensor], Tensor]:
    value = 0.0 if chance is None else math.log(chance / (1 - chance))
    return lambda logits: torch.full_like(logits, value)
