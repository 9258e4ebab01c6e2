"""The convolutions that predict: the last ones, whose outputs are scores and boxes."""

from torch import Tensor, nn

INITIAL_SPREAD = 0.01
"""Of the predicting convolutions' weights: all classes start equally likely and all boxes at their
priors. Caffe's Xavier start is 30 times wider here, and its first epoch unlearns it (LOG.md)."""


def predicting_conv(
    in_channels: int, out_channels: int, *, kernel_size: int = 1, bias: float = 0.0
) -> nn.Conv2d:
    """Make one, size-preserving; every output starts near `bias`."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    nn.init.normal_(convolution.weight, std=INITIAL_SPREAD)
    if convolution.bias is not None:
        nn.init.constant_(convolution.bias, bias)
    return convolution


def a_row_each(outputs: Tensor, values: int) -> Tensor:
    """Turn (b, shapes · values, h, w) into (b, h · w · shapes, values)."""
    return outputs.permute(0, 2, 3, 1).reshape(outputs.shape[0], -1, values)
