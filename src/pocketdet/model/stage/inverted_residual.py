"""The MobileNets' stage."""

from dataclasses import dataclass

from torch import Tensor, nn

from pocketdet.model.layers import Layers
from pocketdet.model.stage.bottleneck import check_bottleneck
from pocketdet.model.stage.halving import check_stride
from pocketdet.model.stage.squeeze import SqueezeExcite
from pocketdet.model.stage.start import Start, check_can_be_identity, check_start, silence


@dataclass(frozen=True, kw_only=True)
class InvertedResidual:
    """MobileNetV2's inverted residuals with linear bottleneck (Sandler et al. 2018, 1801.04381).

    - `num_layers`: blocks, each 1×1 to `expansion` times its input's channels, a depthwise
      `kernel_size` convolution, and a linear 1×1 to `channels`; the input is added where the block
      changes neither size nor width. With `expansion` 1 the first 1×1 is left out, as published;
    - `stride`: of the first block's depthwise convolution; an odd map rounds up;
    - `squeeze`: 0 for none; else MobileNetV3's gate behind the depthwise convolution, its hidden
      width that part of the expanded channels (4 in 1905.02244, there rounded to multiples of 8);
    - `start`: `identity` silences each block's last norm, so that a stage of stride 1 that keeps
      the width hands the map on unchanged until it is trained.
    """

    channels: int
    num_layers: int = 1
    expansion: float = 6.0
    kernel_size: int = 3
    squeeze: int = 0
    stride: int = 2
    start: Start = "random"

    def __post_init__(self) -> None:
        check_stride(self.stride)
        check_start(self.start)
        check_bottleneck(self)

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        check_can_be_identity(
            self.start, in_channels=in_channels, channels=self.channels, stride=self.stride
        )
        stage = nn.Sequential(_InvertedResidual(in_channels, self.stride, self, layers))
        for _ in range(self.num_layers - 1):
            stage.append(_InvertedResidual(self.channels, 1, self, layers))
        return stage


class _InvertedResidual(nn.Module):
    def __init__(
        self, in_channels: int, stride: int, choice: InvertedResidual, layers: Layers
    ) -> None:
        super().__init__()
        expanded = round(in_channels * choice.expansion)
        self.residual = nn.Sequential()
        if choice.expansion > 1:
            self.residual.add_module("expand", layers.conv(in_channels, expanded, 1))
        self.residual.add_module(
            "depthwise", layers.depthwise_conv(expanded, choice.kernel_size, stride=stride)
        )
        if choice.squeeze:
            self.residual.add_module("squeeze", SqueezeExcite(expanded, choice.squeeze))
        self.residual.add_module("project", layers.linear_conv(expanded, choice.channels, 1))
        self.adds_input = stride == 1 and in_channels == choice.channels
        if choice.start == "identity":
            silence(self.residual)

    def forward(self, features: Tensor) -> Tensor:
        result = self.residual(features)
        return features + result if self.adds_input else result
