"""What a neck is to the rest of the detector."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from pocketdet.model.layers import Layers


class Neck(Protocol):
    """A choice of neck; `build` gives a module from a list of maps to a list of maps.

    Both lists run from fine to coarse, and a map keeps its height and width.
    """

    def build(self, level_channels: tuple[int, ...], layers: Layers) -> nn.Module: ...


@dataclass(frozen=True, kw_only=True)
class NoNeck:
    """Hand every level to the head as it is."""

    def build(self, level_channels: tuple[int, ...], layers: Layers) -> nn.Module:
        return nn.Identity()


def size_of(level: Tensor) -> tuple[int, int]:
    """Give a map's (height, width)."""
    return level.shape[-2], level.shape[-1]
