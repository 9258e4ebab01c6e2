"""The feature pyramid."""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from pocketdet.model.layers import Layers
from pocketdet.model.neck.protocol import size_of
from pocketdet.model.norm import NoNorm, Norm
from pocketdet.model.upsample import Nearest, Upsample


@dataclass(frozen=True, kw_only=True)
class TopDown:
    """Feature pyramid (Lin et al. 2016, arXiv 1612.03144).

    Each level passes a 1×1 lateral convolution to `channels`; from the coarsest down, a level is
    brought to the exact size of the next finer lateral and added; a 3×3 convolution smooths each
    sum. As in the paper there is no activation, and by default no norm.
    """

    channels: int = 128
    upsample: Upsample = Nearest()
    norm: Norm = NoNorm()

    def build(self, level_channels: tuple[int, ...], layers: Layers) -> nn.Module:
        return PyramidLayers(
            level_channels, self.channels, self.upsample, replace(layers, norm=self.norm)
        )


class PyramidLayers(nn.Module):
    """The layers of `TopDown`, from (b, c_i, h_i, w_i) to (b, channels, h_i, w_i)."""

    def __init__(
        self, level_channels: tuple[int, ...], channels: int, upsample: Upsample, layers: Layers
    ) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(layers.linear_conv(c, channels, 1) for c in level_channels)
        self.smooth = nn.ModuleList(
            layers.linear_conv(channels, channels, 3) for _ in level_channels
        )
        self.upsample = nn.ModuleList(upsample.build(channels) for _ in level_channels[1:])

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        merged = [lateral(level) for lateral, level in zip(self.lateral, levels, strict=True)]
        for finer in reversed(range(len(merged) - 1)):
            coarser = self.upsample[finer](merged[finer + 1], size_of(merged[finer]))
            merged[finer] = merged[finer] + coarser
        return [smooth(level) for smooth, level in zip(self.smooth, merged, strict=True)]
