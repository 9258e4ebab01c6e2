"""The convolution blocks that every part is made of, with the detector's own choices."""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from pocketdet.model.activation import Activation, ReLU
from pocketdet.model.conv import Conv, ConvShape, StandardConv
from pocketdet.model.norm import WITHOUT_SHIFT, BatchNorm, NoNorm, Norm


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The choices that all parts share, handed to each part's `build`.

    `convolution` is what stands for every convolution of more than 1×1; the blocks that are
    called `depthwise` are so by a part's own definition, whatever is chosen.
    """

    norm: Norm = BatchNorm()
    activation: Activation = ReLU()
    convolution: Conv = StandardConv()

    def with_conv(self, conv: Conv | None) -> "Layers":
        """Give the same choices with a part's own convolution, where it names one."""
        return self if conv is None else replace(self, convolution=conv)

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
        return self.block(
            ConvShape(
                in_channels=in_channels,
                out_channels=out_channels,
                kernel_size=kernel_size,
                stride=stride,
                padding=padding,
                linear=True,
            )
        )

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
        return self.block(
            ConvShape(
                in_channels=in_channels,
                out_channels=out_channels,
                kernel_size=kernel_size,
                stride=stride,
                padding=padding,
            )
        )

    def block(self, shape: ConvShape) -> nn.Sequential:
        """Make what `shape` asks for, by the chosen convolution if it is wider than 1×1."""
        chosen = StandardConv() if shape.kernel_size == 1 else self.convolution
        return chosen.build(shape, self.norm, self.activation)

    def depthwise_conv(self, channels: int, kernel_size: int, *, stride: int = 1) -> nn.Sequential:
        """Make one convolution a channel, norm, activation."""
        return self._depthwise(channels, kernel_size, stride).append(self.activation.build())

    def linear_depthwise_conv(
        self, channels: int, kernel_size: int, *, stride: int = 1
    ) -> nn.Sequential:
        """Make one convolution a channel, norm."""
        return self._depthwise(channels, kernel_size, stride)

    def _depthwise(self, channels: int, kernel_size: int, stride: int) -> nn.Sequential:
        shape = ConvShape(
            in_channels=channels,
            out_channels=channels,
            kernel_size=kernel_size,
            stride=stride,
            groups=channels,
            linear=True,
        )
        return StandardConv().build(shape, self.norm, self.activation)

    def preactivated_conv(
        self, in_channels: int, out_channels: int, kernel_size: int
    ) -> nn.Sequential:
        """Make norm, activation, convolution; the chosen convolution's own norms are left out.

        The input, which others may read too, is never changed in place.
        """
        norm = self.norm.build(in_channels)
        fresh = Copy() if isinstance(norm, nn.Identity) else norm
        first = nn.Sequential(fresh, self.activation.build())
        shape = ConvShape(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=kernel_size,
            linear=True,
            bias=isinstance(self.norm, WITHOUT_SHIFT),
        )
        return first.extend(replace(self, norm=NoNorm()).block(shape))


class Copy(nn.Module):
    """Hand on a copy, so that what changes it in place leaves other readers' map alone."""

    def forward(self, features: Tensor) -> Tensor:
        return features.clone()
