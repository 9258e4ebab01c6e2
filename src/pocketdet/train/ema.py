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

    def update(self, model: nn.Module, *, num_updates: int) -> None:
        """Move towards the model; `num_updates` were made before this one."""
        decay = min(self.decay, (1 + num_updates) / (10 + num_updates))
        current = model.state_dict()
        averaged, towards = list[Tensor](), list[Tensor]()
        for name, value in self.detector.state_dict().items():
            if value.is_floating_point():
                averaged.append(value)
                towards.append(current[name].detach())
            else:
                value.copy_(current[name])
        with torch.no_grad():
            get_ema_multi_avg_fn(decay)(averaged, towards, 0)
