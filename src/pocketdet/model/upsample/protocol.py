"""What an upsampling is to a neck."""

from typing import Protocol

from torch import Tensor, nn
import torch.nn.functional as F


class Upsample(Protocol):
    """A choice of upsampling; `build` gives a module called with (map, (height, width)).

    The module keeps (b, channels, …) and gives exactly (height, width), whatever the map's size
    is. Both maps cover the same picture: cell i of n is centred at (i + 0.5) / n of it.
    """

    def build(self, channels: int) -> nn.Module: ...


def fit(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring what is not of a size to it, linearly, half-pixel centres.

    The parts that double a map end with it: 10 → 20 → 19.
    """
    if (features.shape[-2], features.shape[-1]) == size:
        return features
    return F.interpolate(features, size=size, mode="bilinear")
