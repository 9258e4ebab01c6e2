"""A light head with priors, whose weights all levels share."""

from collections import Counter
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
from pocketdet.model.head.shared_conv import SharedConv, depthwise_shape
from pocketdet.model.layers import Layers
from pocketdet.model.priors import PELEE_VOC_PRIORS, PriorLevel, place_priors


@dataclass(frozen=True, kw_only=True)
class SSDLiteHead:
    """SSDLite's depthwise-separable predictions (Sandler et al. 2018, 1801.04381, section 6.2).

    Each level is brought to `channels` by a 1×1 convolution of its own. Then a 3×3 depthwise
    convolution with norm and activation and a plain 1×1 convolution predict, once for the classes
    and once for the boxes. The paper has these for each level anew; here all levels share them, and
    only the norms are each level's own.

    - `priors`: one entry a prediction. The second entry of a level has convolutions of its own,
      which the second entries of all levels share, and so on; entries that share must have
      the same number of shapes;
    - `box_coder`: how boxes are stated relative to priors.
    """

    channels: int = 128
    priors: tuple[PriorLevel, ...] = PELEE_VOC_PRIORS
    box_coder: BoxCoder = BoxCoder()

    def __post_init__(self) -> None:
        for turn in range(1 + max(self.turns, default=0)):
            shapes = {
                p.num_shapes for p, t in zip(self.priors, self.turns, strict=True) if t == turn
            }
            if len(shapes) > 1:
                raise ValueError(
                    "`priors` of levels that share their predicting convolutions must have the "
                    f"same number of shapes; entries of turn {turn} have {sorted(shapes)}."
                )

    @property
    def turns(self) -> tuple[int, ...]:
        """For each entry, how many entries before it read the same level."""
        seen: Counter[int] = Counter()
        turns: list[int] = []
        for prior in self.priors:
            turns.append(seen[prior.source])
            seen[prior.source] += 1
        return tuple(turns)

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
        return _SSDLiteHead(self, levels, num_classes, layers, places)


class _SSDLiteHead(nn.Module):
    def __init__(
        self,
        choice: SSDLiteHead,
        levels: tuple[LevelShape, ...],
        num_classes: int,
        layers: Layers,
        places: Places,
    ) -> None:
        super().__init__()
        self.order = [(p.source, turn) for p, turn in zip(choice.priors, choice.turns, strict=True)]
        self.num_outputs = 1 + num_classes
        self.entrances = nn.ModuleList(
            layers.conv(level.channels, choice.channels, 1) for level in levels
        )
        shape = depthwise_shape(choice.channels, 3)
        self.class_features = SharedConv(shape, num_levels=len(levels), layers=layers)
        self.box_features = SharedConv(shape, num_levels=len(levels), layers=layers)
        shapes = _shapes_by_turn(choice)
        self.class_convs = nn.ModuleList(
            predicting_conv(choice.channels, number * self.num_outputs) for number in shapes
        )
        self.box_convs = nn.ModuleList(
            predicting_conv(choice.channels, number * 4) for number in shapes
        )
        self.places = places

    def forward(self, levels: list[Tensor], input_size: tuple[int, int]) -> Predictions:
        entered = [enter(level) for enter, level in zip(self.entrances, levels, strict=True)]
        for_classes = [self.class_features(map_, level) for level, map_ in enumerate(entered)]
        for_boxes = [self.box_features(map_, level) for level, map_ in enumerate(entered)]
        class_logits: list[Tensor] = []
        box_deltas: list[Tensor] = []
        for source, turn in self.order:
            logits = self.class_convs[turn](for_classes[source])
            class_logits.append(a_row_each(logits, self.num_outputs))
            box_deltas.append(a_row_each(self.box_convs[turn](for_boxes[source]), 4))
        return Predictions(
            torch.cat(class_logits, dim=1),
            torch.cat(box_deltas, dim=1),
            self.places(levels, input_size),
        )


def _shapes_by_turn(choice: SSDLiteHead) -> list[int]:
    """Give the number of shapes of the first entries, of the second ones, and so on."""
    shapes = {t: p.num_shapes for p, t in zip(choice.priors, choice.turns, strict=True)}
    return [shapes[turn] for turn in sorted(shapes)]
