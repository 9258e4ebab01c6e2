"""Pelee's head: a residual block a level, then one convolution for each prediction."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.head.interface import Coverage, LevelShape
from pocketdet.model.head.places import Places
from pocketdet.model.head.predicting_conv import a_row_each, predicting_conv
from pocketdet.model.head.prior_reading import prior_coverage, prior_sources
from pocketdet.model.head.raw_outputs import Predictions
from pocketdet.model.layers import Layers
from pocketdet.model.priors import PELEE_VOC_PRIORS, PriorLevel, place_priors


@dataclass(frozen=True, kw_only=True)
class PeleeHead:
    """Pelee's head (Wang et al. 2018, arXiv 1804.06882, figure 6): a residual block a level.

    - `channels`: width of each residual block's output; its inner width is half of that;
    - `kernel_size`: of the convolutions that predict, 1 as published (3 in its ablation);
    - `priors`: one entry a prediction; several may read the same level's block;
    - `box_coder`: how boxes are stated relative to priors.
    """

    channels: int = 256
    kernel_size: int = 1
    priors: tuple[PriorLevel, ...] = PELEE_VOC_PRIORS
    box_coder: BoxCoder = BoxCoder()

    def sources(self, num_levels: int) -> set[int]:
        return prior_sources(self.priors)

    def coverage(
        self, levels: tuple[LevelShape, ...], input_size: tuple[int, int]
    ) -> tuple[Coverage, ...]:
        return prior_coverage(self.priors, levels, input_size)

    def build(
        self,
        levels: tuple[LevelShape, ...],
        *,
        input_size: tuple[int, int],
        num_classes: int,
        layers: Layers,
    ) -> nn.Module:
        lay = partial(place_priors, self.priors)
        places = Places(lay, [level.size for level in levels], input_size)
        return _PeleeHead(self, levels, num_classes, layers, places)


class _PeleeHead(nn.Module):
    def __init__(
        self,
        choice: PeleeHead,
        levels: tuple[LevelShape, ...],
        num_classes: int,
        layers: Layers,
        places: Places,
    ) -> None:
        super().__init__()
        self.prior_levels = choice.priors
        self.num_outputs = 1 + num_classes
        self.blocks = nn.ModuleList(
            _ResidualBlock(level.channels, choice.channels, layers) for level in levels
        )
        self.class_convs = nn.ModuleList(
            _predicting(choice, prior.num_shapes * self.num_outputs) for prior in choice.priors
        )
        self.box_convs = nn.ModuleList(
            _predicting(choice, prior.num_shapes * 4) for prior in choice.priors
        )
        self.places = places

    def forward(self, levels: list[Tensor], input_size: tuple[int, int]) -> Predictions:
        features = [block(level) for block, level in zip(self.blocks, levels, strict=True)]
        class_logits: list[Tensor] = []
        box_deltas: list[Tensor] = []
        for prior, to_classes, to_boxes in zip(
            self.prior_levels, self.class_convs, self.box_convs, strict=True
        ):
            source = features[prior.source]
            class_logits.append(a_row_each(to_classes(source), self.num_outputs))
            box_deltas.append(a_row_each(to_boxes(source), 4))
        return Predictions(
            torch.cat(class_logits, dim=1),
            torch.cat(box_deltas, dim=1),
            self.places(levels, input_size),
        )


def _predicting(choice: PeleeHead, out_channels: int) -> nn.Conv2d:
    return predicting_conv(choice.channels, out_channels, kernel_size=choice.kernel_size)


class _ResidualBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, layers: Layers) -> None:
        super().__init__()
        half = channels // 2
        self.shortcut = layers.linear_conv(in_channels, channels, 1)
        self.residual = nn.Sequential(
            layers.conv(in_channels, half, 1),
            layers.conv(half, half, 3),
            layers.linear_conv(half, channels, 1),
        )
        self.activation = layers.activation.build()

    def forward(self, level: Tensor) -> Tensor:
        return self.activation(self.shortcut(level) + self.residual(level))
