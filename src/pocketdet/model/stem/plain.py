"""A stem of plain convolutions."""

from dataclasses import dataclass

from torch import nn

from pocketdet.model.layers import Layers


@dataclass(frozen=True, kw_only=True)
class ConvStem:
    """3×3 convolutions in a row, each with norm and activation.

    - `channels`: the width of each;
    - `strides`: 1 or 2 for each; the stem's stride is their product.

    The default is that of the MobileNets' beginning, stride 4. RTMDet's (Lyu et al. 2022, arXiv
    2212.07784) is `channels=(16, 16, 32), strides=(2, 1, 1)`, with a first stage of stride 2.
    """

    channels: tuple[int, ...] = (16, 32)
    strides: tuple[int, ...] = (2, 2)

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.strides) or not self.channels:
            raise ValueError(
                "`channels` and `strides` must have one entry a convolution, and at least one; "
                f"got {len(self.channels)} and {len(self.strides)}."
            )
        if min(self.channels) < 1 or not set(self.strides) <= {1, 2}:
            raise ValueError(
                "`channels` must be at least 1 and `strides` 1 or 2 each; "
                f"got {list(self.channels)} and {list(self.strides)}."
            )

    def build(self, layers: Layers) -> nn.Module:
        stem = nn.Sequential()
        before = 3
        for channels, stride in zip(self.channels, self.strides, strict=True):
            stem.append(layers.conv(before, channels, 3, stride=stride))
            before = channels
        return stem
