"""The learning rate of every step, as a function of the step alone.

There is no scheduler object that could get out of step with a checkpoint.
"""

import math

from pocketdet.train.settings import TrainSettings


def learning_rate(settings: TrainSettings, step: int, *, steps_per_epoch: int) -> float:
    """Give the learning rate of a step, counted from 0.

    It rises linearly over `warmup_epochs`, then follows a half cosine down to `final_factor`,
    or falls by `milestone_factor` at each of the `milestones` (fractions of the whole
    training).
    """
    num_steps = max(1, settings.epochs * steps_per_epoch)
    num_warmup = min(num_steps - 1, round(settings.warmup_epochs * steps_per_epoch))
    if step < num_warmup:
        return settings.learning_rate * (step + 1) / (num_warmup + 1)
    if settings.schedule == "multistep":
        return settings.learning_rate * _multistep(settings, step / num_steps)
    done = (step - num_warmup) / max(1, num_steps - num_warmup)
    return settings.learning_rate * _cosine(settings, min(1.0, done))


def _multistep(settings: TrainSettings, done: float) -> float:
    passed = sum(done >= milestone for milestone in settings.milestones)
    return settings.milestone_factor**passed


def _cosine(settings: TrainSettings, done: float) -> float:
    low = settings.final_factor
    return low + (1 - low) * (1 + math.cos(math.pi * done)) / 2
