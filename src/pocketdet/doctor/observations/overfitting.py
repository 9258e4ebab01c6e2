"""Whether training can drive the loss on one batch down."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
import math
from time import monotonic

import torch
from torch import nn

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.learning import gradients_of, trainable_of
from pocketdet.doctor.patient import TrainingLoss, copy_of
from pocketdet.doctor.trace import Call

RATES = (1e-3, 1e-2, 1e-4)  # of Adam
SECONDS = 4.0
MOST_STEPS = 200
TRIAL_STEPS, TRIAL_SHARE = 20, 0.15  # of the seconds, for each rate
ENOUGH = 0.5  # of the first loss: it learns, and more steps would not change the verdict
NOTHING_LEARNT = 0.98  # of the first loss
STEPS_TO_WARN = 100  # with fewer, that some was learnt is all that can be asked
LEAST_STEPS = 8  # fewer say nothing
STEP_IN_PASSES = 3  # a training step takes as long as three forward passes
STEADY = 0.8  # of the steps lower the loss: it learns, and most of the loss is a constant
SAME = 1e-2  # relative difference of two losses of one network


@dataclass(frozen=True, kw_only=True, eq=False)
class Overfitting:
    """The best of several learning rates of Adam on the given batch.

    - `first`, `best`: the loss at the start and its lowest; `num_steps`; `rate`: the best one;
    - `falls_steadily`: whether nearly every step lowered it, however little;
    - `changes`: top-level module to the relative change of its parameters.
    """

    first: float
    best: float
    num_steps: int
    rate: float
    falls_steadily: bool
    changes: dict[str, float]

    @property
    def left(self) -> float:
        """The share of the loss that is left; at least 0."""
        fallen = (self.first - self.best) / max(abs(self.first), 1e-12)
        return max(0.0, 1.0 - fallen)


def overfitting(model: nn.Module, batch: Call, training_loss: TrainingLoss) -> Overfitting:
    """Try each rate for some steps, and go on with the best until the loss is low.

    The random state is the same at each step, so that a loss that draws its targets asks for
    the same ones, which can be learnt by heart as well as any.
    """
    runs = [_Run(model, batch, training_loss, rate) for rate in RATES[:1]]
    _refuse_other_targets(runs[0])
    start = monotonic()
    runs[0].go(1, start)
    can_warn = STEPS_TO_WARN * (monotonic() - start) < SECONDS
    enough = ENOUGH if can_warn else NOTHING_LEARNT
    for number, rate in enumerate(RATES):
        if number:
            runs.append(_Run(model, batch, training_loss, rate))
        runs[-1].go(TRIAL_STEPS, start + (number + 1) * TRIAL_SHARE * SECONDS, enough)
        if runs[-1].left <= enough:
            break
    best = min(runs, key=lambda run: run.left)
    best.go(MOST_STEPS, start + SECONDS, enough)
    if len(best.losses) < LEAST_STEPS and best.left > enough:
        raise NotObservable(f"{len(best.losses)} steps were all that {SECONDS:g} s allow")
    return Overfitting(
        first=best.losses[0],
        best=min(best.losses),
        num_steps=len(best.losses),
        rate=best.rate,
        falls_steadily=any(run.falls_steadily for run in runs),
        changes=dict(best.changes()),
    )


class _Run:
    def __init__(
        self, model: nn.Module, batch: Call, training_loss: TrainingLoss, rate: float
    ) -> None:
        self.patient = copy_of(model).train()
        self.batch, self.training_loss, self.rate = batch, training_loss, rate
        self.parameters = trainable_of(self.patient)
        if not self.parameters:
            raise NotObservable("no parameter is to be trained")
        self.before = {n: p.detach().clone() for n, p in self.parameters.items()}
        self.optimizer = torch.optim.Adam(list(self.parameters.values()), lr=rate)
        self.losses: list[float] = []

    @property
    def left(self) -> float:
        if not self.losses:
            return math.inf
        return 1 - (self.losses[0] - min(self.losses)) / max(abs(self.losses[0]), 1e-12)

    @property
    def falls_steadily(self) -> bool:
        pairs = list(pairwise(self.losses))
        return bool(pairs) and sum(b < a for a, b in pairs) >= STEADY * len(pairs)

    def loss(self) -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(self.training_loss(self.patient, self.batch.mapped(torch.clone).given))

    def go(self, num_steps: int, until: float, enough: float = ENOUGH) -> None:
        """Train until the loss is low enough, the steps are done or the time is up."""
        while len(self.losses) < num_steps and self.left > enough:
            torch.manual_seed(0)
            loss, gradients = gradients_of(self.patient, self.batch, self.training_loss)
            if gradients is None:
                raise NotObservable("the loss has no gradient")
            if not math.isfinite(loss):
                if not self.losses:
                    raise NotObservable("the loss is no finite number")
                return
            self.losses.append(loss)
            for name, parameter in self.parameters.items():
                parameter.grad = gradients[name]
            self.optimizer.step()
            if monotonic() > until:
                return

    def changes(self) -> Iterator[tuple[str, float]]:
        parts: dict[str, list[str]] = {}
        for name in self.parameters:
            parts.setdefault(name.partition(".")[0], []).append(name)
        for part, names in parts.items():
            moved = sum(float((self.parameters[n] - self.before[n]).norm()) ** 2 for n in names)
            size = sum(float(self.before[n].norm()) ** 2 for n in names)
            yield part, math.sqrt(moved / max(size, 1e-12))


def _refuse_other_targets(run: _Run) -> None:
    began = monotonic()
    first, second = run.loss(), run.loss()
    needed = LEAST_STEPS * STEP_IN_PASSES * (monotonic() - began) / 2
    if needed > SECONDS:
        raise NotObservable(f"{LEAST_STEPS} training steps take {needed:.0f} s")
    if abs(first - second) > SAME * max(abs(first), 1e-12):
        raise NotObservable("`training_loss` draws its targets anew in each call, by its own means")
