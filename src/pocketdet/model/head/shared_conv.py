"""A convolution that all levels share."""

from torch import Tensor, nn

from pocketdet.model.conv import ConvShape, plain_conv
from pocketdet.model.layers import Layers
from pocketdet.model.norm import WITHOUT_SHIFT


class SharedConv(nn.Module):
    """Convolution, norm, activation; the kernel is one for all levels, the norm each level's own.

    Maps of different levels have different means and variances, which one batch norm for all of
    them would mix in training and miss in evaluation.
    """

    def __init__(self, shape: ConvShape, *, num_levels: int, layers: Layers) -> None:
        super().__init__()
        self.convolution = plain_conv(shape, bias=isinstance(layers.norm, WITHOUT_SHIFT))
        self.norms = nn.ModuleList(layers.norm.build(shape.out_channels) for _ in range(num_levels))
        self.activation = layers.activation.build()

    def forward(self, features: Tensor, level: int) -> Tensor:
        return self.activation(self.norms[level](self.convolution(features)))


class SharedSeparable(nn.Module):
    """Depthwise and 1×1, both shared, both with norm and activation; keeps (b, channels, h, w)."""

    def __init__(self, channels: int, kernel_size: int, *, num_levels: int, layers: Layers) -> None:
        super().__init__()
        self.depthwise = SharedConv(
            depthwise_shape(channels, kernel_size), num_levels=num_levels, layers=layers
        )
        self.pointwise = SharedConv(
            ConvShape(in_channels=channels, out_channels=channels, kernel_size=1),
            num_levels=num_levels,
            layers=layers,
        )

    def forward(self, features: Tensor, level: int) -> Tensor:
        return self.pointwise(self.depthwise(features, level), level)


def depthwise_shape(channels: int, kernel_size: int) -> ConvShape:
    """Describe one convolution a channel that keeps the map's size."""
    return ConvShape(
        in_channels=channels, out_channels=channels, kernel_size=kernel_size, groups=channels
    )
