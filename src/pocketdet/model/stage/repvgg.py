"""A stage of plain 3×3 convolutions that trains with more branches."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.model.activation import LeakyReLU, PReLU, ReLU
from pocketdet.model.conv import ConvShape, StandardConv
from pocketdet.model.foldable import Foldable
from pocketdet.model.layers import Layers
from pocketdet.model.norm import BatchNorm
from pocketdet.model.stage.halving import check_stride
from pocketdet.model.stage.start import Start, check_can_be_identity, check_start, silence


@dataclass(frozen=True, kw_only=True)
class RepVGG:
    """RepVGG's blocks (Ding et al. 2021, arXiv 2101.03697, equation 1).

    - `num_layers`: blocks, each activation(norm(3×3) + norm(1×1) + norm(input)), the last term only
      where the block keeps size and width;
    - `stride`: of the first block; an odd map rounds up;
    - `start`: `identity` silences the convolutions and lets the input's norm hand it on, exact in
      evaluation mode where no value is negative, as behind a ReLU; it needs batch norm and an
      activation that keeps positive values (ReLU, LeakyReLU, PReLU).

    `fold_batch_norm` makes one 3×3 convolution and its activation of a block, exactly; with a norm
    other than batch norm the block stays as it is.
    """

    channels: int
    num_layers: int = 1
    stride: int = 2
    start: Start = "random"

    def __post_init__(self) -> None:
        check_stride(self.stride)
        check_start(self.start)
        if min(self.channels, self.num_layers) < 1:
            raise ValueError(
                "`channels` and `num_layers` must be at least 1; "
                f"got {self.channels} and {self.num_layers}."
            )

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        check_can_be_identity(
            self.start, in_channels=in_channels, channels=self.channels, stride=self.stride
        )
        if self.start == "identity":
            _check_hands_on(layers)
        blocks = [_RepVGGBlock(in_channels, self.channels, self.stride, layers)]
        blocks += [
            _RepVGGBlock(self.channels, self.channels, 1, layers)
            for _ in range(self.num_layers - 1)
        ]
        if self.start == "identity":
            for block in blocks:
                block.become_identity()
        return nn.Sequential(*blocks)


def _check_hands_on(layers: Layers) -> None:
    if not isinstance(layers.norm, BatchNorm) or not isinstance(
        layers.activation, ReLU | LeakyReLU | PReLU
    ):
        raise ValueError(
            "`start: identity` of `RepVGG` needs `norm` BatchNorm and `activation` ReLU, LeakyReLU "
            f"or PReLU; got {type(layers.norm).__name__} and {type(layers.activation).__name__}."
        )


class _RepVGGBlock(Foldable):
    def __init__(self, in_channels: int, channels: int, stride: int, layers: Layers) -> None:
        super().__init__()
        wide = ConvShape(
            in_channels=in_channels,
            out_channels=channels,
            kernel_size=3,
            stride=stride,
            linear=True,
        )
        # What folds into a 3×3 convolution has to be one, whatever the detector's choice is.
        self.wide = StandardConv().build(wide, layers.norm, layers.activation)
        self.narrow = layers.linear_conv(in_channels, channels, 1, stride=stride)
        self.keep = nn.Sequential()
        self.has_keep = stride == 1 and in_channels == channels
        if self.has_keep:
            self.keep.append(layers.norm.build(channels))
        self.activation = layers.activation.build()

    def forward(self, features: Tensor) -> Tensor:
        total = self.wide(features) + self.narrow(features)
        return self.activation(total + self.keep(features) if self.has_keep else total)

    def become_identity(self) -> None:
        silence(self.wide)
        silence(self.narrow)
        norm = self.keep[0]
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.constant_(norm.weight, (1 + norm.eps) ** 0.5)

    def folded(self) -> nn.Module:
        norms = [self.wide[1], self.narrow[1], *self.keep]
        if not all(isinstance(norm, nn.BatchNorm2d) for norm in norms):
            return self
        wide, narrow = self.wide[0], self.narrow[0]
        assert isinstance(wide, nn.Conv2d)
        assert isinstance(narrow, nn.Conv2d)
        terms = [
            _scaled(wide.weight, self.wide[1]),
            _scaled(F.pad(narrow.weight, (1, 1, 1, 1)), self.narrow[1]),
        ]
        if self.has_keep:
            terms.append(_scaled(nn.init.dirac_(torch.zeros_like(wide.weight)), self.keep[0]))
        merged = nn.Conv2d(
            wide.in_channels, wide.out_channels, 3, stride=wide.stride[0], padding=1
        ).to(wide.weight)
        assert merged.bias is not None
        with torch.no_grad():
            merged.weight.copy_(torch.stack([kernel for kernel, _ in terms]).sum(dim=0))
            merged.bias.copy_(torch.stack([shift for _, shift in terms]).sum(dim=0))
        return nn.Sequential(merged, self.activation)


def _scaled(kernel: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Give kernel and shift of a convolution without bias and the batch norm behind it."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return kernel * scale[:, None, None, None], norm.bias - norm.running_mean * scale
