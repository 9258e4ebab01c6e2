"""What a stage has to be."""

from typing import Protocol

from torch import nn

from pocketdet.model.layers import Layers


class Stage(Protocol):
    """A choice of stage; `build` gives a module that takes (b, in_channels, h, w)."""

    def build(self, in_channels: int, layers: Layers) -> nn.Module: ...
