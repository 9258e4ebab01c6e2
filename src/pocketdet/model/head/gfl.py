"""A head without priors: every cell of every map says what is there and how far its sides are."""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor, nn

from pocketdet.model.cells import place_cells
from pocketdet.model.distance_coder import DistanceCoder
from pocketdet.model.head.interface import Coverage, LevelShape
from pocketdet.model.head.places import Places
from pocketdet.model.head.predicting_conv import a_row_each, predicting_conv
from pocketdet.model.head.raw_outputs import PointPredictions
from pocketdet.model.head.shared_conv import SharedSeparable
from pocketdet.model.layers import Layers


@dataclass(frozen=True, kw_only=True)
class GFLHead:
    """Generalized focal loss's head (Li et al. 2020, arXiv 2006.04388), light and without priors.

    Each level is brought to `channels` by a 1×1 convolution of its own. Two towers of `num_convs`
    depthwise-separable convolutions, shared by all levels but for their norms, lead to the class
    logits and to the distributions of the four distances. Quality and class are one score. Which
    cell answers for which box is decided by what it predicts (task-aligned assignment, Feng et
    al. 2021, arXiv 2108.07755), so there is nothing to lay out but the cells themselves.

    Departures: the paper's towers are four plain convolutions with group norm, and its scale
    for each level is left out, because distances are counted in cells.

    - `kernel_size`: of the depthwise convolutions;
    - `box_coder`: the bins of the distances;
    - `initial_score`: of every class at the start (arXiv 1708.02002, section 4.1), so that the many
      cells without an object do not drown the few with one.
    """

    channels: int = 96
    num_convs: int = 2
    kernel_size: int = 3
    box_coder: DistanceCoder = DistanceCoder()
    initial_score: float = 0.01

    def __post_init__(self) -> None:
        if self.num_convs < 1 or self.kernel_size % 2 == 0:
            raise ValueError(
                "`num_convs` must be at least 1 and `kernel_size` odd; got "
                f"{self.num_convs} and {self.kernel_size}."
            )
        if not 0 < self.initial_score < 1:
            raise ValueError(f"`initial_score` must be in (0, 1); got {self.initial_score}.")

    def sources(self, num_levels: int) -> set[int]:
        return set(range(num_levels))

    def coverage(
        self, levels: tuple[LevelShape, ...], input_size: tuple[int, int]
    ) -> tuple[Coverage, ...]:
        """Say up to which size a level's cells can state a box around their centre."""
        height, width = input_size
        return tuple(
            Coverage(
                source=source,
                smallest=0.0,
                largest=2
                * self.box_coder.highest
                * min(height / level.height, width / level.width),
                num_places=level.height * level.width,
            )
            for source, level in enumerate(levels)
        )

    def build(
        self,
        levels: tuple[LevelShape, ...],
        *,
        input_size: tuple[int, int],
        num_classes: int,
        layers: Layers,
    ) -> nn.Module:
        places = Places(place_cells, [level.size for level in levels], input_size)
        return _GFLHead(self, levels, num_classes, layers, places)


class _GFLHead(nn.Module):
    def __init__(
        self,
        choice: GFLHead,
        levels: tuple[LevelShape, ...],
        num_classes: int,
        layers: Layers,
        places: Places,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_bins = choice.box_coder.num_bins
        self.entrances = nn.ModuleList(
            layers.conv(level.channels, choice.channels, 1) for level in levels
        )
        self.class_tower = _Tower(choice, len(levels), layers)
        self.box_tower = _Tower(choice, len(levels), layers)
        start = -log((1 - choice.initial_score) / choice.initial_score)
        self.class_conv = predicting_conv(choice.channels, num_classes, bias=start)
        self.box_conv = predicting_conv(choice.channels, 4 * self.num_bins)
        self.places = places

    def forward(self, levels: list[Tensor], input_size: tuple[int, int]) -> PointPredictions:
        class_logits: list[Tensor] = []
        side_logits: list[Tensor] = []
        for number, (enter, level) in enumerate(zip(self.entrances, levels, strict=True)):
            features = enter(level)
            for_classes = self.class_tower(features, number)
            for_boxes = self.box_tower(features, number)
            class_logits.append(a_row_each(self.class_conv(for_classes), self.num_classes))
            side_logits.append(a_row_each(self.box_conv(for_boxes), 4 * self.num_bins))
        return PointPredictions(
            torch.cat(class_logits, dim=1),
            torch.cat(side_logits, dim=1).unflatten(-1, (4, self.num_bins)),
            self.places(levels, input_size),
        )


class _Tower(nn.Module):
    def __init__(self, choice: GFLHead, num_levels: int, layers: Layers) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SharedSeparable(
                choice.channels, choice.kernel_size, num_levels=num_levels, layers=layers
            )
            for _ in range(choice.num_convs)
        )

    def forward(self, features: Tensor, level: int) -> Tensor:
        for block in self.blocks:
            features = block(features, level)
        return features
