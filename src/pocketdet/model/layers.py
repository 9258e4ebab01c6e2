"""The convolution blocks that every part is made of, with the detector's norm and activation."""

from dataclasses import dataclass

from torch import nn

from pocketdet.model.activation import Activation, ReLU
from pocketdet.model.norm import BatchNorm, NoNorm, Norm


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The choices that all parts share, handed to each part's `build`."""

    norm: Norm = BatchNorm()
    activation: Activation = ReLU()

    def linear_conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
    ) -> nn.Sequential:
        """Make convolution, norm; padded, unless told, so that stride 1 keeps the map's size."""
        convolution = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2 if padding is None else padding,
            bias=isinstance(self.norm, NoNorm),
        )
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
        return nn.Sequential(convolution, self.norm.build(out_channels))

    def conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | None = None,
    ) -> nn.Sequential:
        """Make convolution, norm, activation."""
        block = self.linear_conv(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding
        )
        return block.append(self.activation.build())
