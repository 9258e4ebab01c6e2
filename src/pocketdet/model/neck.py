"""What joins the levels before the head reads them."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from pocketdet.model.layers import Layers
from pocketdet.model.norm import NoNorm, Norm
from pocketdet.model.upsample import Nearest, Upsample


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


@dataclass(frozen=True, kw_only=True)
class TopDown:
    """Feature pyramid (Lin et al. 2017, arXiv 1612.03144).

    Each level passes a 1×1 lateral convolution to `channels`; from the coarsest down, a level is
    brought to the exact size of the next finer lateral and added; a 3×3 convolution smooths each
    sum. As in the paper there is no activation, and by default no norm.
    """

    channels: int = 128
    upsample: Upsample = Nearest()
    norm: Norm = NoNorm()

    def build(self, level_channels: tuple[int, ...], layers: Layers) -> nn.Module:
        return _TopDown(level_channels, self)


class _TopDown(nn.Module):
    def __init__(self, level_channels: tuple[int, ...], choice: TopDown) -> None:
        super().__init__()
        layers = Layers(norm=choice.norm)
        self.lateral = nn.ModuleList(
            layers.linear_conv(channels, choice.channels, 1) for channels in level_channels
        )
        self.smooth = nn.ModuleList(
            layers.linear_conv(choice.channels, choice.channels, 3) for _ in level_channels
        )
        self.upsample = nn.ModuleList(
            choice.upsample.build(choice.channels) for _ in level_channels[1:]
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        merged = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        for finer in reversed(range(len(merged) - 1)):
            size = (merged[finer].shape[-2], merged[finer].shape[-1])
            merged[finer] = merged[finer] + self.upsample[finer](merged[finer + 1], size)
        return [smooth(level) for smooth, level in zip(self.smooth, merged, strict=True)]


NECKS = (NoNeck, TopDown)
