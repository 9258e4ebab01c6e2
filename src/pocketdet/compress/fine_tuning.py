"""Training on for a while, by the ordinary loop."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
import json
from pathlib import Path

import torch

from pocketdet.compress.fingerprint import fingerprint
from pocketdet.data.loading.batch import Batch
from pocketdet.data.progress import Progress
from pocketdet.model import Detector
from pocketdet.train.checkpoint import LAST, read_checkpoint, save_checkpoints
from pocketdet.train.criterion import Criterion
from pocketdet.train.distributed import World
from pocketdet.train.events import Event, Started, StepDone, Watcher
from pocketdet.train.loop import train
from pocketdet.train.plan import Batches, TrainPlan
from pocketdet.train.settings import TrainSettings
from pocketdet.train.settings_data import settings_to_data
from pocketdet.train.state import TrainState, begin

GENTLE = 0.25
"""Of the run's own learning rate: enough to recover what a step broke, not to start over."""


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How long and how strongly a detector is trained on.

    - `epochs`: passes over the training images, fractions allowed; 0 for none;
    - `learning_rate`: its largest value; None: a quarter of the run's. It falls by a half cosine;
    - `ema_decay`: of the average that is kept (None: no average);
    - `teacher`: a run or checkpoint of the same classes that it also learns from (see `Distill`).

    All else is as in the run that the detector comes from.
    """

    epochs: float = 3.0
    learning_rate: float | None = None
    ema_decay: float | None = 0.99
    teacher: str | None = None

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise ValueError(f"`epochs` of a fine-tuning must be at least 0; got {self.epochs:g}.")

    @property
    def num_rounds(self) -> int:
        """Epochs of the loop; what is left over of a fraction shortens each."""
        return max(1, round(self.epochs))

    def settings(self, run: TrainSettings, *, seed: int) -> TrainSettings:
        """Give the settings of the training loop, from those of the run."""
        return replace(
            run,
            epochs=self.num_rounds,
            learning_rate=self.learning_rate or GENTLE * run.learning_rate,
            ema_decay=self.ema_decay,
            warmup_epochs=min(run.warmup_epochs, self.num_rounds / 10),
            schedule="cosine",
            max_minutes=None,
            patience=None,
            evaluate_every=self.num_rounds,
            seed=seed,
        )

    def limited(self, batches: Batches) -> Batches:
        """Give the part of each epoch that adds up to `epochs`."""
        wanted = round(len(batches) * self.epochs / self.num_rounds)
        return _FirstBatches(batches, max(1, min(wanted, len(batches))))


class _FirstBatches:
    def __init__(self, batches: Batches, number: int) -> None:
        self._batches, self._number = batches, number

    def __len__(self) -> int:
        return self._number

    def epoch(self, number: int) -> Iterable[Batch]:
        return islice(self._batches.epoch(number), self._number)


@dataclass(frozen=True, kw_only=True)
class TrainingHooks:
    """How a fine-tuning differs from ordinary training (see `TrainPlan`), and who is told."""

    criterion: Callable[[Detector], Criterion]
    after_step: Callable[[TrainState], None]
    progress: Progress


def run_fine_tuning(
    detector: Detector,
    batches: Batches,
    settings: TrainSettings,
    hooks: TrainingHooks,
    *,
    folder: Path,
    device: torch.device,
) -> Detector:
    """Train a copy and give its moving average in evaluation mode, gradients asked for as before.

    `folder` keeps its state after each epoch; one that began with other weights or settings is
    not gone on with.
    """
    world = World(device=device)
    origin = {"begun": _origin(detector, settings, len(batches))}
    state = begin(deepcopy(detector), settings, world)
    _go_on(state, folder / LAST, origin)
    folder.mkdir(parents=True, exist_ok=True)
    plan = TrainPlan(
        settings=settings,
        batches=batches,
        world=world,
        save=lambda state: save_checkpoints(folder, state, settings, origin),
        watch=_told(hooks.progress, folder.name),
        criterion=hooks.criterion,
        after_step=hooks.after_step,
    )
    train(state, plan)
    return _as_asked(state.detector_to_use, detector)


def _origin(detector: Detector, settings: TrainSettings, num_batches: int) -> str:
    text = json.dumps([fingerprint(detector), settings_to_data(settings), num_batches])
    return sha256(text.encode()).hexdigest()


def _go_on(state: TrainState, file: Path, origin: dict[str, str]) -> None:
    if not file.is_file():
        return
    saved = read_checkpoint(file)
    if saved["training"]["source"] == origin:
        state.restore(saved["training"], weights_to_use=saved["weights"])


def _as_asked(trained: Detector, before: Detector) -> Detector:
    for name, parameter in before.named_parameters():
        trained.get_parameter(name).requires_grad_(parameter.requires_grad)
    return trained.eval()


def _told(progress: Progress, name: str) -> Watcher:
    total = 0

    def tell(event: Event) -> None:
        nonlocal total
        match event:
            case Started():
                total = event.num_epochs * event.steps_per_epoch
                progress(name, event.epochs_done * event.steps_per_epoch, total)
            case StepDone():
                progress(name, event.step + 1, total)
            case _:
                pass

    return tell
