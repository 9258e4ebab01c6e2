"""What a training run is given; nothing in it changes on the way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pocketdet.conventions import Sample
from pocketdet.data.loading.batch import Batch
from pocketdet.model import Detector
from pocketdet.train.criterion import Criterion, criterion_of
from pocketdet.train.distributed import World
from pocketdet.train.events import Watcher, nobody
from pocketdet.train.settings import TrainSettings
from pocketdet.train.state import TrainState

Evaluate = Callable[[Detector], Mapping[str, float]]
"""Gives named figures in [0, 1]; `AP` is the one by which the best epoch is chosen."""


class Batches(Protocol):
    """The training batches of this process: the same for the same epoch, however often asked."""

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> Iterable[Batch]: ...


def nothing(state: TrainState) -> None:
    """Save nothing, change nothing."""


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """The parts of a run.

    - `batches`: of this process; `samples` are only to name an image file in an error;
    - `evaluate`: called in the first process only, with the detector to use, in eval mode;
    - `save`: called in the first process before the first epoch and after each;
    - `watch`: told of every event in the first process;
    - `criterion`: makes what the detector in training is compared by, that of its head if not told;
    - `after_step`: called after each change of weights and average, and may change them again.
    """

    settings: TrainSettings
    batches: Batches
    world: World = field(default_factory=World)
    evaluate: Evaluate | None = None
    save: Callable[[TrainState], None] = nothing
    watch: Watcher = nobody
    samples: Sequence[Sample] = ()
    criterion: Callable[[Detector], Criterion] = criterion_of
    after_step: Callable[[TrainState], None] = nothing

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimizer; the last one of an epoch may have fewer batches."""
        return -(-len(self.batches) // self.settings.accumulate)
