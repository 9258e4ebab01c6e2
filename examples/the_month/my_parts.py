"""The parts of the altered network, as their author wrote them, and each one mended.

Three things are wrong in what follows. No shape shows any of them.

1. `SpatialAttention`: the softmax runs over the channels of a map that has one channel.
2. `L2Norm`: no axis is named, so one number divides the whole batch.
3. `Pyramid` puts the attention before the normalisation. With 1 and 2 mended, a place of the map
   is multiplied by its gate and then divided by its own length, which has the gate in it.

The stem, the dense block, the separable convolutions and the bilinear upsampling are sound; he
suspected the upsampling.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model import Layers, NoAttention, NoNorm, TopDown
from pocketdet.model.attention import Attention
from pocketdet.model.norm import Norm
from pocketdet.model.upsample import Bilinear, Upsample

# ---------------------------------------------------------------------------- sound parts


@dataclass(frozen=True, kw_only=True)
class PlainStem:
    """Two 3×3 convolutions of stride 2 instead of Pelee's two ways."""

    channels: int = 16

    def build(self, layers: Layers) -> nn.Module:
        return nn.Sequential(
            layers.conv(3, self.channels, 3, stride=2),
            layers.conv(self.channels, self.channels, 3, stride=2),
        )


@dataclass(frozen=True, kw_only=True)
class OneWayDense:
    """A dense stage with one way of 3×3 convolutions instead of two."""

    num_layers: int
    growth: int = 16
    stride: int = 2

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        stage = nn.Sequential()
        if self.stride == 2:
            stage.append(nn.MaxPool2d(2, 2, ceil_mode=True))
        for _ in range(self.num_layers):
            stage.append(_DenseLayer(in_channels, self.growth, layers))
            in_channels += self.growth
        return stage.append(layers.conv(in_channels, in_channels, 1))


class _DenseLayer(nn.Module):
    def __init__(self, in_channels: int, growth: int, layers: Layers) -> None:
        super().__init__()
        self.way = nn.Sequential(
            layers.conv(in_channels, 2 * growth, 1), layers.conv(2 * growth, growth, 3)
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([features, self.way(features)], dim=1)


# ------------------------------------------------------------------------------ attention


class ChannelAttention(nn.Module):
    """One weight a channel; sound."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        mean, highest = features.mean(dim=(2, 3)), features.amax(dim=(2, 3))
        weights = torch.sigmoid(self.mlp(mean) + self.mlp(highest))
        return features * weights[:, :, None, None]


class SpatialAttention(nn.Module):
    """One weight a place. Faulty: a softmax over one channel is 1 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        mean = features.mean(dim=1, keepdim=True)
        highest = features.amax(dim=1, keepdim=True)
        weights = torch.softmax(self.conv(torch.cat([mean, highest], dim=1)), dim=1)
        return features * weights


class SpatialAttentionMended(nn.Module):
    """One weight a place, by a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        mean = features.mean(dim=1, keepdim=True)
        highest = features.amax(dim=1, keepdim=True)
        weights = torch.sigmoid(self.conv(torch.cat([mean, highest], dim=1)))
        return features * weights


@dataclass(frozen=True, kw_only=True)
class MyCBAM:
    """Channel, then spatial attention; the spatial one is faulty."""

    reduction: int = 16

    def build(self, channels: int) -> nn.Module:
        return nn.Sequential(ChannelAttention(channels, self.reduction), SpatialAttention())


@dataclass(frozen=True, kw_only=True)
class MyCBAMMended:
    """Channel, then spatial attention."""

    reduction: int = 16

    def build(self, channels: int) -> nn.Module:
        return nn.Sequential(ChannelAttention(channels, self.reduction), SpatialAttentionMended())


# -------------------------------------------------------------------------- normalisation


class _L2Normalize(nn.Module):
    """Faulty: without an axis the sum is over images, channels and places together."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1, 1), initial))

    def forward(self, features: Tensor) -> Tensor:
        squares = features.square().sum()
        return features * torch.rsqrt(squares.clamp(min=1e-12)) * self.scale


class _L2NormalizeMended(nn.Module):
    """Each place of each image is divided by the length of its channels."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1, 1), initial))

    def forward(self, features: Tensor) -> Tensor:
        squares = features.square().sum(dim=1, keepdim=True)
        return features * torch.rsqrt(squares.clamp(min=1e-12)) * self.scale


@dataclass(frozen=True, kw_only=True)
class L2Norm:
    """`l2_normalize(features)` and a learned scale a channel; faulty."""

    initial: float = 20.0

    def build(self, channels: int) -> nn.Module:
        return _L2Normalize(channels, self.initial)


@dataclass(frozen=True, kw_only=True)
class L2NormMended:
    """`l2_normalize(features, axis=channels)` and a learned scale a channel."""

    initial: float = 20.0

    def build(self, channels: int) -> nn.Module:
        return _L2NormalizeMended(channels, self.initial)


# ------------------------------------------------------------------------------- the neck


@dataclass(frozen=True, kw_only=True)
class Pyramid:
    """A feature pyramid over levels that pass attention and normalisation, in this order.

    `attention_behind` stands after the normalisation, where no division takes it out again.
    """

    channels: int = 64
    attention: Attention = MyCBAM()
    norm: Norm = L2Norm()
    attention_behind: Attention = NoAttention()
    upsample: Upsample = Bilinear()

    def build(self, level_channels: tuple[int, ...], layers: Layers) -> nn.Module:
        entrances = [
            nn.Sequential(
                self.attention.build(channels),
                self.norm.build(channels),
                self.attention_behind.build(channels),
            )
            for channels in level_channels
        ]
        merge = TopDown(channels=self.channels, upsample=self.upsample, norm=NoNorm())
        return _Pyramid(entrances, merge.build(level_channels, layers))


class _Pyramid(nn.Module):
    def __init__(self, entrances: list[nn.Sequential], merge: nn.Module) -> None:
        super().__init__()
        self.entrances = nn.ModuleList(entrances)
        self.merge = merge

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        entered = [enter(level) for enter, level in zip(self.entrances, levels, strict=True)]
        return self.merge(entered)
