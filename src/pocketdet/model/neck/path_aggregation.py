"""The path aggregation network."""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from pocketdet.model.layers import Layers
from pocketdet.model.neck.protocol import size_of
from pocketdet.model.neck.top_down import PyramidLayers
from pocketdet.model.norm import NoNorm, Norm
from pocketdet.model.upsample import Nearest, Upsample
from pocketdet.model.upsample.protocol import fit


@dataclass(frozen=True, kw_only=True)
class PAN:
    """Path aggregation (Liu et al. 2018, arXiv 1803.01534, section 3.1): up again behind a pyramid.

    Behind the layers of `TopDown` the finest level stays as it is; from there up, a level passes
    a 3×3 convolution of stride 2, is added to the next coarser one, and a 3×3 convolution joins
    the sum. Each of these convolutions has the detector's activation; a norm only if given, as in
    the paper. Where the next level is not the half (Pelee's 3×3 and 1×1) the map is then fitted
    linearly.
    """

    channels: int = 128
    upsample: Upsample = Nearest()
    norm: Norm = NoNorm()

    def build(self, level_channels: tuple[int, ...], layers: Layers) -> nn.Module:
        return _PathAggregation(level_channels, self, replace(layers, norm=self.norm))


class _PathAggregation(nn.Module):
    def __init__(self, level_channels: tuple[int, ...], choice: PAN, layers: Layers) -> None:
        super().__init__()
        self.top_down = PyramidLayers(level_channels, choice.channels, choice.upsample, layers)
        self.down = nn.ModuleList(
            layers.conv(choice.channels, choice.channels, 3, stride=2) for _ in level_channels[1:]
        )
        self.join = nn.ModuleList(
            layers.conv(choice.channels, choice.channels, 3) for _ in level_channels[1:]
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        merged = self.top_down(levels)
        for coarser, (down, join) in enumerate(zip(self.down, self.join, strict=True), start=1):
            finer = fit(down(merged[coarser - 1]), size_of(merged[coarser]))
            merged[coarser] = join(merged[coarser] + finer)
        return merged
