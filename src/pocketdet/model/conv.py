"""What stands where a part asks for a convolution wider than one place.

A part asks `Layers` for a convolution of a size; which kind it gets is the detector's choice
(`DetectorConfig.conv`) or the part's own (`conv` of a stage). 1×1 convolutions, the stem's and the
depthwise ones that are a block's own definition stay what they are.
"""

from dataclasses import dataclass, replace
from math import ceil, gcd, sqrt
from typing import Protocol

import torch
from torch import Tensor, nn

from pocketdet.model.activation import Activation
from pocketdet.model.cuts_channels import CutsChannels
from pocketdet.model.norm import WITHOUT_SHIFT, Norm


@dataclass(frozen=True, kw_only=True)
class ConvShape:
    """What is asked for: (b, in_channels, h, w) to (b, out_channels, h', w').

    - `padding`: None keeps the map's size at stride 1;
    - `linear`: the last activation is left out;
    - `bias`: None gives one where the norm has no shift of its own.
    """

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int | None = None
    groups: int = 1
    dilation: int = 1
    linear: bool = False
    bias: bool | None = None

    @property
    def reach(self) -> int:
        """The padding of the kernel without its dilation."""
        return self.kernel_size // 2 if self.padding is None else self.padding

    @property
    def keeps_size(self) -> bool:
        return self.stride == 1 and 2 * self.reach == self.kernel_size - 1


class Conv(Protocol):
    """A choice of convolution; `build` gives a block from one shape of map to another.

    The block ends with `norm`, and with `activation` unless `shape.linear`.
    """

    def build(self, shape: ConvShape, norm: Norm, activation: Activation) -> nn.Sequential: ...


@dataclass(frozen=True, kw_only=True)
class StandardConv:
    """Every output channel reads every input channel, k × k places."""

    def build(self, shape: ConvShape, norm: Norm, activation: Activation) -> nn.Sequential:
        bias = isinstance(norm, WITHOUT_SHIFT) if shape.bias is None else shape.bias
        block = nn.Sequential(plain_conv(shape, bias=bias), norm.build(shape.out_channels))
        return block if shape.linear else block.append(activation.build())


@dataclass(frozen=True, kw_only=True)
class SeparableConv:
    """Depthwise k × k, norm, activation, then 1×1 (MobileNet, Howard et al. 2017, 1704.04861)."""

    def build(self, shape: ConvShape, norm: Norm, activation: Activation) -> nn.Sequential:
        depthwise = replace(
            shape, out_channels=shape.in_channels, groups=shape.in_channels, linear=False
        )
        pointwise = pointwise_of(shape)
        return nn.Sequential(
            *StandardConv().build(depthwise, norm, activation),
            *StandardConv().build(pointwise, norm, activation),
        )


@dataclass(frozen=True, kw_only=True)
class GroupedConv:
    """Channels in separate groups (ResNeXt, Xie et al. 2016, arXiv 1611.05431).

    Where `groups` does not divide both numbers of channels, their greatest common divisor does.
    """

    groups: int = 4

    def __post_init__(self) -> None:
        if self.groups < 2:
            raise ValueError(
                f"`groups` must be at least 2 (one group is `StandardConv`); got {self.groups}."
            )

    def build(self, shape: ConvShape, norm: Norm, activation: Activation) -> nn.Sequential:
        groups = gcd(self.groups, shape.in_channels, shape.out_channels)
        return StandardConv().build(replace(shape, groups=groups), norm, activation)


@dataclass(frozen=True, kw_only=True)
class DilatedConv:
    """Places `dilation` apart, padded by as much more (Yu and Koltun 2015, arXiv 1511.07122)."""

    dilation: int = 2

    def __post_init__(self) -> None:
        if self.dilation < 2:
            raise ValueError(
                f"`dilation` must be at least 2 (1 is `StandardConv`); got {self.dilation}."
            )

    def build(self, shape: ConvShape, norm: Norm, activation: Activation) -> nn.Sequential:
        return StandardConv().build(replace(shape, dilation=self.dilation), norm, activation)


@dataclass(frozen=True, kw_only=True)
class GhostConv:
    """Some channels by convolution, the rest from these (GhostNet, Han et al. 2019, 1911.11907).

    A k × k convolution with norm and activation makes 1 / `ratio` of the channels; a depthwise
    one of `cheap_kernel` places makes the others from them; both are joined. Each half ends with
    its activation, or without in a linear block, as in the authors' code.
    """

    ratio: int = 2
    cheap_kernel: int = 3

    def __post_init__(self) -> None:
        if self.ratio < 2 or self.cheap_kernel % 2 == 0:
            raise ValueError(
                "`ratio` must be at least 2 and `cheap_kernel` odd; "
                f"got {self.ratio} and {self.cheap_kernel}."
            )

    def build(self, shape: ConvShape, norm: Norm, activation: Activation) -> nn.Sequential:
        return nn.Sequential(_Ghost(self, shape, norm, activation))


class _Ghost(CutsChannels):
    cuts = ("out_channels",)

    def __init__(
        self, choice: GhostConv, shape: ConvShape, norm: Norm, activation: Activation
    ) -> None:
        super().__init__()
        self.out_channels = shape.out_channels
        made = ceil(shape.out_channels / choice.ratio)
        repeats = ceil(shape.out_channels / made) - 1
        cheap = ConvShape(
            in_channels=made,
            out_channels=made * repeats,
            kernel_size=choice.cheap_kernel,
            groups=made,
            linear=shape.linear,
            bias=shape.bias,
        )
        self.primary = StandardConv().build(replace(shape, out_channels=made), norm, activation)
        self.cheap = StandardConv().build(cheap, norm, activation)

    def forward(self, features: Tensor) -> Tensor:
        primary = self.primary(features)
        return torch.cat([primary, self.cheap(primary)], dim=1)[:, : self.out_channels]


@dataclass(frozen=True, kw_only=True)
class PartialConv:
    """k × k on some of the channels, then 1×1 (FasterNet, Chen et al. 2023, arXiv 2303.03667).

    The first 1 / `ratio` of the channels pass the convolution, the others go on as they are; the
    1×1 after it mixes all of them. Where the map changes its size a standard convolution stands
    instead, as FasterNet does between its stages.
    """

    ratio: int = 4

    def __post_init__(self) -> None:
        if self.ratio < 2:
            raise ValueError(f"`ratio` must be at least 2 (1 is `StandardConv`); got {self.ratio}.")

    def build(self, shape: ConvShape, norm: Norm, activation: Activation) -> nn.Sequential:
        if not shape.keeps_size:
            return StandardConv().build(shape, norm, activation)
        channels = max(1, shape.in_channels // self.ratio)
        inner = replace(shape, in_channels=channels, out_channels=channels)
        return nn.Sequential(
            _OnFirstChannels(channels, plain_conv(inner, bias=False)),
            *StandardConv().build(pointwise_of(shape), norm, activation),
        )


class _OnFirstChannels(CutsChannels):
    cuts = ("channels",)

    def __init__(self, channels: int, convolution: nn.Module) -> None:
        super().__init__()
        self.channels = channels
        self.convolution = convolution

    def forward(self, features: Tensor) -> Tensor:
        first, rest = features[:, : self.channels], features[:, self.channels :]
        return torch.cat([self.convolution(first), rest], dim=1)


def pointwise_of(shape: ConvShape) -> ConvShape:
    """Give the 1×1 convolution that mixes channels after a spatial one."""
    return replace(shape, kernel_size=1, stride=1, padding=None, groups=1, dilation=1)


def plain_conv(shape: ConvShape, *, bias: bool) -> nn.Conv2d:
    """Make the bare convolution with He's start (1502.01852), a group's fan counted as its own."""
    convolution = nn.Conv2d(
        shape.in_channels,
        shape.out_channels,
        shape.kernel_size,
        stride=shape.stride,
        padding=shape.reach + (shape.dilation - 1) * (shape.kernel_size - 1) // 2,
        dilation=shape.dilation,
        groups=shape.groups,
        bias=bias,
    )
    fan_out = shape.kernel_size**2 * shape.out_channels // shape.groups
    nn.init.normal_(convolution.weight, std=sqrt(2 / fan_out))
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


CONVS = (StandardConv, SeparableConv, GroupedConv, DilatedConv, GhostConv, PartialConv)
