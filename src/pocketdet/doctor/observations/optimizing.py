"""A few steps of the user's own optimizer, on a copy of it and of the model."""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from statistics import median

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.learning import gradients_of, trainable_of
from pocketdet.doctor.patient import TrainingLoss, copy_of
from pocketdet.doctor.trace import Call

NUM_STEPS = 3
WARM = 1e-12  # a rate below this is a warm-up's start, and cannot move anything
FAINT = 1e-6  # of the largest gradient: a step along it may vanish in rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimizing:
    """What some steps on the given batch did.

    - `losses`: before each step; `first_bad_step`: steps after which it was no finite number;
    - `names`: all trainable parameters; `unmoved`: those in the optimizer that had a gradient at
      every step and are the same to the last bit, though their group's rate is not zero and
      would move them by a usual gradient.
    """

    losses: tuple[float, ...]
    first_bad_step: int | None
    names: tuple[str, ...]
    unmoved: tuple[str, ...]


def optimizing(
    model: nn.Module, optimizer: Optimizer, batch: Call, training_loss: TrainingLoss
) -> Optimizing:
    """Train copies of the model and of the optimizer that still belong together."""
    patient, stepping = copy_of(model, optimizer)
    patient.train()
    parameters = trainable_of(patient)
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    rates = {id(p): float(g.get("lr", 1)) for g in stepping.param_groups for p in g["params"]}
    without = {name for name, p in parameters.items() if rates.get(id(p), 0.0) <= WARM}
    losses: list[float] = []
    strongest = dict.fromkeys(parameters, 0.0)
    bad: int | None = None
    for step in range(NUM_STEPS):
        torch.manual_seed(0)
        loss, gradients = gradients_of(patient, batch, training_loss)
        if not math.isfinite(loss) and losses:
            bad = step
            break
        losses.append(loss)
        least = FAINT * _largest(gradients or {})
        for name, gradient in (gradients or {}).items():
            parameters[name].grad = gradient
            strength = 0.0 if gradient is None else float(gradient.abs().max())
            strongest[name] = max(strongest[name], strength)
            if strength <= least:
                without.add(name)
        _step(stepping)
    usual = median(strongest.values()) if strongest else 0.0
    unmoved = [
        name
        for name, p in parameters.items()
        if name not in without
        and torch.equal(p, before[name])
        and not _is_lost(p, strongest[name] * rates[id(p)], usual * rates[id(p)])
    ]
    return Optimizing(
        losses=tuple(losses),
        first_bad_step=bad,
        names=tuple(parameters),
        unmoved=tuple(unmoved) if bad is None else (),
    )


def _largest(gradients: Mapping[str, Tensor | None]) -> float:
    return max((float(g.abs().max()) for g in gradients.values() if g is not None), default=0.0)


def _is_lost(parameter: Tensor, change: float, usual: float) -> bool:
    """Say whether it is the gradient, and not the rate, that is too small to change a weight."""
    rounding = torch.finfo(parameter.dtype).eps * float(parameter.abs().max())
    return change < rounding <= usual


def _step(optimizer: Optimizer) -> None:
    try:
        optimizer.step()
    except TypeError as error:
        raise NotObservable("the optimizer's `step` wants a closure") from error
