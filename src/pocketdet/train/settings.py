"""How a detector is trained: everything but the detector and the data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, get_args

import torch

from pocketdet.data.augment.settings import AugmentSettings

Schedule = Literal["cosine", "multistep"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

MAY_BE_NONE = ("max_minutes", "patience", "clip_norm", "ema_decay", "num_workers")

COUNTS = (
    "epochs",
    "patience",
    "evaluate_every",
    "batch_size",
    "accumulate",
    "num_workers",
    "seed",
)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of one training run; the defaults are for training from scratch on little data.

    Length and batches
    - `epochs`: passes over the training images;
    - `max_minutes`: begin no epoch that would not end within this time (None: no limit);
    - `patience`: stop after so many evaluations without a better AP (None: never);
    - `evaluate_every`: epochs from one evaluation to the next; the last epoch is always
      evaluated;
    - `batch_size`: images that one forward pass sees, over all processes together;
    - `accumulate`: forward passes to one step of the optimizer.

    SGD (Pelee: .005 at batch 32, momentum .9, decay 5e-4)
    - `learning_rate`: its largest value, for the whole step of `batch_size * accumulate`
      images;
    - `momentum`, `weight_decay` (never on norms and biases);
    - `warmup_epochs`: the linear rise at the start, fractions allowed;
    - `schedule`: "cosine" falls to `final_factor`; "multistep" multiplies by `milestone_factor`
      at each of `milestones`, fractions of the whole training;
    - `clip_norm`: largest norm of all gradients together (None: unclipped);
    - `ema_decay`: of the moving average that is evaluated and saved (None: no average).

    The machine
    - `precision`: "auto" is mixed precision on a GPU and float32 elsewhere;
    - `channels_last`: memory format of the network and its input;
    - `num_workers`: processes that prepare batches (None: by the number of cores);
    - `cache`: keep the decoded, resized images in a memory-mapped file;
    - `seed`: of weights, order, augmentation and dropout.
    """

    epochs: int = 100
    max_minutes: float | None = None
    patience: int | None = None
    evaluate_every: int = 1
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    warmup_epochs: float = 1.0
    schedule: Schedule = "cosine"
    final_factor: float = 0.01
    milestones: tuple[float, ...] = (0.67, 0.83)
    milestone_factor: float = 0.1
    clip_norm: float | None = 10.0
    ema_decay: float | None = 0.998
    precision: Precision = "auto"
    channels_last: bool = True
    num_workers: int | None = None
    cache: bool = False
    seed: int = 0
    augmentation: AugmentSettings = field(default_factory=AugmentSettings)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "evaluate_every"):
            self._check(name, "at least 1", lambda value: value >= 1)
        for name in ("learning_rate", "max_minutes", "patience", "clip_norm"):
            self._check(name, "above 0", lambda value: value > 0)
        for name in ("weight_decay", "warmup_epochs", "seed", "num_workers"):
            self._check(name, "at least 0", lambda value: value >= 0)
        for name in ("momentum", "final_factor", "milestone_factor"):
            self._check(name, "in [0, 1]", lambda value: 0 <= value <= 1)
        self._check("ema_decay", "in (0, 1)", lambda value: 0 < value < 1)
        for milestone in self.milestones:
            if not 0 < milestone < 1:
                raise ValueError(
                    f"`milestones` must be fractions of the training, in (0, 1); got {milestone:g}."
                )
        _check_choice("schedule", self.schedule, get_args(Schedule))
        _check_choice("precision", self.precision, get_args(Precision))
        self._check_switches()

    def _check_switches(self) -> None:
        for name in ("channels_last", "cache"):
            if getattr(self, name) not in (True, False):
                raise ValueError(f"`{name}` must be true or false; got {getattr(self, name)!r}.")

    @property
    def memory_format(self) -> torch.memory_format:
        """How the network's kernels and input lie in memory."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def _check(self, name: str, rule: str, holds: Callable[[Any], bool]) -> None:
        """Check one field; None stands for "without" where the field allows it."""
        value = getattr(self, name)
        if value is None and name in MAY_BE_NONE:
            return
        kind, numbers = ("a whole number", int) if name in COUNTS else ("a number", int | float)
        if not isinstance(value, numbers) or isinstance(value, bool) or not holds(value):
            raise ValueError(f"`{name}` must be {kind} {rule}; got {value!r}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        close = get_close_matches(str(value), choices, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}; got {value!r}.{hint}")
