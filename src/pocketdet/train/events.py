"""What a training run tells those who watch it; only its first process does.

A watcher is any function of one event. It sees, it does not steer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pocketdet.data.loading.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Data and detector are there; `repairs` says what was done about bad annotations.

    `transfer` says which trained weights the detector starts with, if it was given any.
    """

    folder: Path
    repairs: str
    num_train: int
    num_val: int
    num_classes: int
    num_parameters: int
    device: str
    transfer: str = ""


@dataclass(frozen=True, kw_only=True)
class Started:
    """Training begins, or goes on after `epochs_done`."""

    num_epochs: int
    epochs_done: int
    steps_per_epoch: int
    history: list[dict[str, float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchSeen:
    """A batch goes into the network; `images` is the normalised (b, 3, H, W) input itself."""

    step: int
    images: Tensor
    batch: Batch


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """The optimizer has made a step; `step` and `epoch` count from 0."""

    epoch: int
    step: int
    learning_rate: float
    losses: Mapping[str, float]
    gradient_norm: float


@dataclass(frozen=True, kw_only=True)
class EvaluationStarted:
    epoch: int


@dataclass(frozen=True, kw_only=True)
class EpochDone:
    """An epoch is trained, evaluated if it was due, and saved; `row` is the history's last."""

    row: Mapping[str, float]
    history: list[dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """Training is over; `reason` is a part of a sentence."""

    reason: str
    history: list[dict[str, float]]


Event = Prepared | Started | BatchSeen | StepDone | EvaluationStarted | EpochDone | Ended
Watcher = Callable[[Event], None]


def nobody(event: Event) -> None:
    """Watch nothing."""


def all_of(*watchers: Watcher) -> Watcher:
    """Tell several watchers, in this order."""

    def tell(event: Event) -> None:
        for watcher in watchers:
            watcher(event)

    return tell
