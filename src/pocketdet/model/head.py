"""What turns levels into class scores and boxes."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.layers import Layers
from pocketdet.model.priors import PELEE_VOC_PRIORS, PriorLevel, place_priors

INITIAL_SPREAD = 0.01
"""Of the predicting convolutions' weights: all classes start equally likely and all boxes at their
priors. Caffe's Xavier start is 30 times wider here, and its first epoch unlearns it (LOG.md)."""


class Predictions(NamedTuple):
    """Raw outputs, with the priors that they are relative to, so that none can be mistaken.

    - `class_logits`: (b, p, 1 + num_classes), unnormalised, background first;
    - `box_deltas`: (b, p, 4), in the head's box code;
    - `priors_cxcywh`: (p, 4), input pixels.
    """

    class_logits: Tensor
    box_deltas: Tensor
    priors_cxcywh: Tensor


@dataclass(frozen=True, kw_only=True)
class LevelShape:
    """What a level really measures when the input has the contract's size."""

    channels: int
    height: int
    width: int

    @classmethod
    def of(cls, level: Tensor) -> "LevelShape":
        _, channels, height, width = level.shape
        return cls(channels=channels, height=height, width=width)


class Head(Protocol):
    """A choice of head; `build` gives a module called with (levels, (height, width) of input).

    The module gives `Predictions` and keeps a buffer `priors_cxcywh` for the contract's size.
    """

    @property
    def priors(self) -> tuple[PriorLevel, ...]: ...

    @property
    def box_coder(self) -> BoxCoder: ...

    def build(
        self,
        levels: tuple[LevelShape, ...],
        *,
        input_size: tuple[int, int],
        num_classes: int,
        layers: Layers,
    ) -> nn.Module: ...


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

    def build(
        self,
        levels: tuple[LevelShape, ...],
        *,
        input_size: tuple[int, int],
        num_classes: int,
        layers: Layers,
    ) -> nn.Module:
        head = _PeleeHead(self, levels, num_classes, layers)
        head.keep_priors_for([(level.height, level.width) for level in levels], input_size)
        return head


class _PeleeHead(nn.Module):
    def __init__(
        self,
        choice: PeleeHead,
        levels: tuple[LevelShape, ...],
        num_classes: int,
        layers: Layers,
    ) -> None:
        super().__init__()
        self.prior_levels = choice.priors
        self.num_outputs = 1 + num_classes
        self.blocks = nn.ModuleList(
            _ResidualBlock(level.channels, choice.channels, layers) for level in levels
        )
        self.class_convs = nn.ModuleList(
            _predicting_conv(choice, prior.num_shapes * self.num_outputs) for prior in choice.priors
        )
        self.box_convs = nn.ModuleList(
            _predicting_conv(choice, prior.num_shapes * 4) for prior in choice.priors
        )
        self.placed_for: tuple[object, ...] = ()
        self.register_buffer("priors_cxcywh", torch.zeros(0, 4), persistent=False)

    priors_cxcywh: Tensor

    def forward(self, levels: list[Tensor], input_size: tuple[int, int]) -> Predictions:
        features = [block(level) for block, level in zip(self.blocks, levels, strict=True)]
        class_logits: list[Tensor] = []
        box_deltas: list[Tensor] = []
        for prior, to_classes, to_boxes in zip(
            self.prior_levels, self.class_convs, self.box_convs, strict=True
        ):
            source = features[prior.source]
            class_logits.append(_a_row_each(to_classes(source), self.num_outputs))
            box_deltas.append(_a_row_each(to_boxes(source), 4))
        map_sizes = [(int(level.shape[-2]), int(level.shape[-1])) for level in levels]
        return Predictions(
            torch.cat(class_logits, dim=1),
            torch.cat(box_deltas, dim=1),
            self._priors(map_sizes, input_size),
        )

    def keep_priors_for(
        self, map_sizes: list[tuple[int, int]], input_size: tuple[int, int]
    ) -> None:
        """Lay the priors once for the size that the detector is made for."""
        self.priors_cxcywh = place_priors(self.prior_levels, map_sizes, input_size)
        self.placed_for = (*map_sizes, input_size)

    def _priors(self, map_sizes: list[tuple[int, int]], input_size: tuple[int, int]) -> Tensor:
        if (*map_sizes, input_size) == self.placed_for:
            return self.priors_cxcywh
        return place_priors(self.prior_levels, map_sizes, input_size).to(self.priors_cxcywh.device)


def _predicting_conv(choice: PeleeHead, out_channels: int) -> nn.Conv2d:
    convolution = nn.Conv2d(
        choice.channels, out_channels, choice.kernel_size, padding=choice.kernel_size // 2
    )
    nn.init.normal_(convolution.weight, std=INITIAL_SPREAD)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def _a_row_each(outputs: Tensor, values: int) -> Tensor:
    """Turn (b, shapes · values, h, w) into (b, h · w · shapes, values)."""
    return outputs.permute(0, 2, 3, 1).reshape(outputs.shape[0], -1, values)


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


HEADS = (PeleeHead,)
