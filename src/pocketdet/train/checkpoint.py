"""A training run on disk, at the end of an epoch: `last.pt`, and `best.pt` by AP.

At the top stand `config` (with the input contract), `classes` and `weights`, those to use: what
`Detector.load` reads. `training` holds what going on needs: raw weights, optimizer, loss
scaling, random state, epoch, step, history, settings, and where the data is. There is nothing
but plain data and tensors in it, and reading it runs no pickled code.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pocketdet.model.saved_detector import detector_from_data, detector_to_data, read_data
from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.distributed import World
from pocketdet.train.early_stopping import best_epoch
from pocketdet.train.settings import TrainSettings
from pocketdet.train.settings_data import settings_from_data, settings_to_data
from pocketdet.train.state import TrainState, begin

LAST, BEST = "last.pt", "best.pt"


def save_checkpoints(
    folder: Path, state: TrainState, settings: TrainSettings, source: Mapping[str, str]
) -> None:
    """Write `last.pt`, and before it `best.pt` if the last epoch was the best so far.

    In this order, because a run that is killed between the two goes on from `last.pt`, comes to
    the same epoch again and writes the same `best.pt`. `source` says where the data is.
    """
    data = {
        **detector_to_data(state.detector_to_use),
        "training": {
            **state.to_data(),
            "settings": settings_to_data(settings),
            "source": dict(source),
        },
    }
    if state.history and best_epoch(state.history) is state.history[-1]:
        write_atomically(folder / BEST, lambda file: torch.save(data, file))
    write_atomically(folder / LAST, lambda file: torch.save(data, file))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that training can go on from; raises `ValueError` for anything else."""
    if not path.is_file():
        raise ValueError(f"{path.parent} is no run that can go on: it has no {path.name}.")
    data = read_data(path)
    if not isinstance(data, dict) or "training" not in data:
        raise ValueError(f"{path} holds a detector, but no training to go on with.")
    return data


def saved_settings(data: Mapping[str, Any]) -> TrainSettings:
    """Give the settings of a checkpoint's run."""
    return settings_from_data(data["training"]["settings"])


def resume(data: Mapping[str, Any], settings: TrainSettings, world: World) -> TrainState:
    """Rebuild the detector of a checkpoint, and its training as it was then."""
    state = begin(detector_from_data(dict(data)), settings, world)
    state.restore(data["training"], weights_to_use=data["weights"])
    return state
