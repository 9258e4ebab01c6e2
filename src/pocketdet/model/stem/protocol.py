"""What a stem has to be."""

from typing import Protocol

from torch import nn

from pocketdet.model.layers import Layers


class Stem(Protocol):
    """A choice of stem; `build` gives a module that takes (b, 3, H, W)."""

    def build(self, layers: Layers) -> nn.Module: ...
