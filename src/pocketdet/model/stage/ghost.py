"""GhostNet's stage."""

from dataclasses import dataclass

from torch import Tensor, nn

from pocketdet.model.conv import ConvShape, GhostConv
from pocketdet.model.layers import Layers
from pocketdet.model.stage.bottleneck import check_bottleneck
from pocketdet.model.stage.halving import check_stride
from pocketdet.model.stage.squeeze import SqueezeExcite
from pocketdet.model.stage.start import Start, check_can_be_identity, check_start, silence


@dataclass(frozen=True, kw_only=True)
class Ghost:
    """GhostNet's bottlenecks (Han et al. 2019, arXiv 1911.11907, figure 3).

    - `num_layers`: blocks, each a ghost module (see `GhostConv`, here 1×1) to `expansion` times its
      input's channels, and a linear ghost module to `channels`, added to a shortcut. The paper
      lists the expanded widths one by one; they are 1 to 6 times the input's;
    - `stride`: 2 puts a depthwise convolution of `kernel_size` places between the two modules of
      the first block; an odd map rounds up;
    - shortcut: the input itself; where size or width changes a depthwise convolution, norm, a 1×1
      convolution, norm;
    - `squeeze`: 0 for none; else MobileNetV3's gate between the modules (4 in the paper);
    - `start`: `identity` silences each block's second module, as in `InvertedResidual`.
    """

    channels: int
    num_layers: int = 1
    expansion: float = 3.0
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
        stage = nn.Sequential(_GhostBottleneck(in_channels, self.stride, self, layers))
        for _ in range(self.num_layers - 1):
            stage.append(_GhostBottleneck(self.channels, 1, self, layers))
        return stage


class _GhostBottleneck(nn.Module):
    def __init__(self, in_channels: int, stride: int, choice: Ghost, layers: Layers) -> None:
        super().__init__()
        expanded = round(in_channels * choice.expansion)
        self.residual = nn.Sequential(_ghost_module(in_channels, expanded, layers))
        if stride == 2:
            self.residual.append(
                layers.linear_depthwise_conv(expanded, choice.kernel_size, stride=stride)
            )
        if choice.squeeze:
            self.residual.append(SqueezeExcite(expanded, choice.squeeze))
        last = _ghost_module(expanded, choice.channels, layers, linear=True)
        self.residual.append(last)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != choice.channels:
            self.shortcut = nn.Sequential(
                *layers.linear_depthwise_conv(in_channels, choice.kernel_size, stride=stride),
                *layers.linear_conv(in_channels, choice.channels, 1),
            )
        if choice.start == "identity":
            for half in last[0].children():
                silence(half)

    def forward(self, features: Tensor) -> Tensor:
        return self.shortcut(features) + self.residual(features)


def _ghost_module(
    in_channels: int, out_channels: int, layers: Layers, *, linear: bool = False
) -> nn.Sequential:
    shape = ConvShape(
        in_channels=in_channels, out_channels=out_channels, kernel_size=1, linear=linear
    )
    return GhostConv().build(shape, layers.norm, layers.activation)
