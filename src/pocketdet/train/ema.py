"""The moving average of the weights: what is evaluated and shipped."""

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pocketdet.model import Detector


class WeightAverage:
    """An exponential moving average of a detector's parameters and buffers.

    BatchNorm's running statistics are averaged too: statistics of the last weights would not
    fit averaged ones. Counters (integers) are copied. The decay rises with the number of
    updates t as min(decay, (1 + t) / (10 + t)), so that the random start is soon forgotten.
    """

    def __init__(self, detector: Detector, *, decay: float) -> None:
        self.decay = decay
        self.detector = copy.deepcopy(detector).eval().requires_grad_(requires_grad=False)
        self._places = _places(self.detector, list(self.detector.state_dict()))
        self._model: nn.Module | None = None
        self._model_places = list[Place]()

    def update(self, model: nn.Module, *, num_updates: int) -> None:
        """Move towards the model; `num_updates` were made before this one."""
        decay = min(self.decay, (1 + num_updates) / (10 + num_updates))
        if self._model is not model:
            self._model, self._model_places = model, _places(model, list(model.state_dict()))
        averaged, towards = list[Tensor](), list[Tensor]()
        for own, other in zip(self._places, self._model_places, strict=True):
            value, current = _tensor(own), _tensor(other)
            if value.is_floating_point():
                averaged.append(value)
                towards.append(current.detach())
            else:
                value.copy_(current)
        with torch.no_grad():
            get_ema_multi_avg_fn(decay)(averaged, towards, 0)


Place = tuple[nn.Module, str]
"""A module and the name of one of its tensors."""


def _places(model: nn.Module, names: list[str]) -> list[Place]:
    """Find the owner of every tensor once.

    A state dict each step costs as much as the optimizer; tensors looked up once would be the old
    ones after a module has put a new one in a buffer's place.
    """
    split = [name.rpartition(".") for name in sorted(names)]
    return [(model.get_submodule(path), name) for path, _, name in split]


def _tensor(place: Place) -> Tensor:
    module, name = place
    return getattr(module, name)
