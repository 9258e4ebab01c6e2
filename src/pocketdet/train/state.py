"""All that changes while training, and that a resumed run needs back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pocketdet.model import Detector
from pocketdet.model.saved_detector import load_weights
from pocketdet.train.distributed import World
from pocketdet.train.ema import WeightAverage
from pocketdet.train.optimizer import build_optimizer
from pocketdet.train.precision import build_scaler, resolve_precision
from pocketdet.train.settings import TrainSettings
from pocketdet.train.sync_batch_norm import synchronise_batch_norm


@dataclass(kw_only=True, eq=False)
class TrainState:
    """The detector in training and everything that moves along with it.

    - `detector`: the raw weights, `average`: their moving average, if there is one;
    - `epoch`, `step`: how many are done;
    - `history`: one row of figures for each epoch that is done.
    """

    detector: Detector
    average: WeightAverage | None
    optimizer: torch.optim.SGD
    scaler: torch.amp.GradScaler
    epoch: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def detector_to_use(self) -> Detector:
        """What is evaluated and shipped: the average where there is one."""
        return self.average.detector if self.average else self.detector

    def to_data(self) -> dict[str, Any]:
        """Give all but `detector_to_use`, which a checkpoint holds at its top."""
        return {
            "weights": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random_state(),
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
        }

    def restore(self, data: Mapping[str, Any], *, weights_to_use: Mapping[str, Any]) -> None:
        """Take back what `to_data` gave, and the weights that were at the checkpoint's top."""
        self.detector.load_state_dict(data["weights"])
        if self.average:
            load_weights(self.average.detector, weights_to_use)
        self.optimizer.load_state_dict(data["optimizer"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(data["scaler"])
        restore_random_state(data["random"])
        self.epoch, self.step = data["epoch"], data["step"]
        self.history = [dict(row) for row in data["history"]]


def begin(detector: Detector, settings: TrainSettings, world: World | None = None) -> TrainState:
    """Put a detector on its device and lay out its training, with nothing done yet."""
    world = world or World()
    detector.to(world.device)
    for parameter in detector.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=settings.memory_format)
    average = None
    if settings.ema_decay is not None:
        average = WeightAverage(detector, decay=settings.ema_decay)
    if world.size > 1:
        synchronise_batch_norm(detector, world.device)
    dtype = resolve_precision(settings.precision, world.device)
    return TrainState(
        detector=detector.train(),
        average=average,
        optimizer=build_optimizer(detector, settings),
        scaler=build_scaler(world.device, dtype),
    )


def random_state() -> dict[str, Any]:
    """Give the state of torch's generators; the data's draw from (seed, epoch, index) only."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Take back what `random_state` gave; a GPU that is not there any more is left out."""
    torch.set_rng_state(state["cpu"])
    for number, of_device in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(of_device, number)
