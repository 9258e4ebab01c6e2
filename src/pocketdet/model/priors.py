"""SSD's default boxes ("priors"): the places and shapes that predictions are relative to."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class PriorLevel:
    """The priors on every cell of one map (Liu et al. 2016, arXiv 1512.02325, section 2.2).

    - `source`: which of the detector's levels, 0 the finest; two entries may share one;
    - `smallest`, `largest`: sizes as shares of the input's shorter side;
    - `aspect_ratios`: width over height; each also gives its inverse.

    A cell has, in this order: a square of `smallest`, a square of sqrt(smallest · largest), and
    for each ratio a wide and a tall box with the area of the first square.
    """

    source: int
    smallest: float
    largest: float
    aspect_ratios: tuple[float, ...] = (2.0, 3.0)

    def __post_init__(self) -> None:
        if not 0 < self.smallest < self.largest:
            raise ValueError(
                "`smallest` must be above 0 and below `largest`; got "
                f"{self.smallest} and {self.largest}."
            )

    @property
    def num_shapes(self) -> int:
        """How many priors each cell has."""
        return 2 + 2 * len(self.aspect_ratios)

    def shapes(self, side: float) -> list[tuple[float, float]]:
        """Give (width, height) of each prior of a cell in pixels, for an input's `side`."""
        small, between = self.smallest * side, sqrt(self.smallest * self.largest) * side
        shapes = [(small, small), (between, between)]
        for ratio in self.aspect_ratios:
            wide, tall = small * sqrt(ratio), small / sqrt(ratio)
            shapes += [(wide, tall), (tall, wide)]
        return shapes


def place_priors(
    levels: Iterable[PriorLevel], map_sizes: list[tuple[int, int]], input_size: tuple[int, int]
) -> Tensor:
    """Lay the priors of all levels over the input.

    `map_sizes` holds the real (height, width) of each source map, and `input_size` that of the
    input: the centre of cell i of n lies at (i + 0.5) / n of the input, so a map that rounded up
    still covers it evenly. Gives (p, 4) cxcywh in input pixels: level by level, row by row, cell
    by cell, shape by shape, as the head's outputs are ordered. Nothing is clipped.
    """
    height, width = input_size
    parts: list[Tensor] = []
    for level in levels:
        rows, columns = map_sizes[level.source]
        y = (torch.arange(rows, dtype=torch.float32) + 0.5) * (height / rows)
        x = (torch.arange(columns, dtype=torch.float32) + 0.5) * (width / columns)
        centres = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
        shapes = torch.tensor(level.shapes(min(height, width)))
        centres = centres.reshape(-1, 1, 2).expand(-1, len(shapes), -1)
        parts.append(torch.cat([centres, shapes.expand(len(centres), -1, -1)], dim=-1))
    return torch.cat([part.reshape(-1, 4) for part in parts])


def prior_ladder(sources: tuple[int, ...], bounds: tuple[float, ...]) -> tuple[PriorLevel, ...]:
    """Let each entry go from one bound to the next; `bounds` has one more value than `sources`."""
    if len(bounds) != len(sources) + 1:
        raise ValueError(
            "`bounds` must have one value more than `sources`; got "
            f"{len(bounds)} and {len(sources)}."
        )
    return tuple(
        PriorLevel(source=source, smallest=bounds[step], largest=bounds[step + 1])
        for step, source in enumerate(sources)
    )


PELEE_SOURCES = (0, 0, 1, 2, 3, 4)
"""Pelee's six heads: the finest map (19×19 at 304) feeds two of them."""

PELEE_VOC_PRIORS = prior_ladder(PELEE_SOURCES, (0.10, 0.20, 0.37, 0.54, 0.71, 0.88, 1.05))
"""From 30.4 to 319.2 px at 304."""

PELEE_COCO_PRIORS = prior_ladder(PELEE_SOURCES, (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05))
"""From 21.28 to 319.2 px at 304. Weights trained with one set are useless with the other."""
