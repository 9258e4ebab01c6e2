"""What the outputs of an exported file mean: four ways, from raw to finished."""

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class PriorOutputs:
    """Raw outputs relative to priors, to be decoded by whoever runs the file.

    - `class_logits`: name of (b, p, 1 + num_classes): a softmax over the last axis gives scores,
      background first;
    - `box_deltas`: name of (b, p, 4): times `variances`, then centres move by prior sizes and sizes
      grow by the exponential of at most `largest_growth` (SSD, arXiv 1512.02325, equation 2);
    - `places_cxcywh`: the p priors, in input pixels.
    """

    class_logits: str = "class_logits"
    box_deltas: str = "box_deltas"
    variances: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    largest_growth: float = log(1000 / 16)
    places_cxcywh: Places

    @property
    def names(self) -> tuple[str, ...]:
        return (self.class_logits, self.box_deltas)

    def shapes(self, num_classes: int) -> dict[str, tuple[int, ...]]:
        """Give each output's shape for one picture, without the batch."""
        places = len(self.places_cxcywh)
        return {self.class_logits: (places, 1 + num_classes), self.box_deltas: (places, 4)}


@dataclass(frozen=True, kw_only=True)
class CellOutputs:
    """Raw outputs relative to cells, to be decoded by whoever runs the file.

    - `class_logits`: name of (b, p, num_classes): a sigmoid each gives scores;
    - `side_logits`: name of (b, p, 4, num_bins): the mean of a softmax over bins that stand for
      `lowest`, `lowest` + 1, …, in widths and heights of the cell, is the distance from its centre
      to the left, top, right and bottom (arXiv 2006.04388, section 3.2);
    - `places_cxcywh`: the p cells, in input pixels.
    """

    class_logits: str = "class_logits"
    side_logits: str = "side_logits"
    num_bins: int
    lowest: float = -0.5
    places_cxcywh: Places

    @property
    def names(self) -> tuple[str, ...]:
        return (self.class_logits, self.side_logits)

    def shapes(self, num_classes: int) -> dict[str, tuple[int, ...]]:
        """Give each output's shape for one picture, without the batch."""
        places = len(self.places_cxcywh)
        return {
            self.class_logits: (places, num_classes),
            self.side_logits: (places, 4, self.num_bins),
        }


@dataclass(frozen=True, kw_only=True)
class BoxOutputs:
    """Decoded inside the file; NMS is left.

    - `boxes_xyxy`: name of (b, p, 4), input pixels, not clipped;
    - `scores`: name of (b, p, num_classes), in [0, 1], without background.
    """

    boxes_xyxy: str = "boxes_xyxy"
    scores: str = "scores"
    num_places: int

    @property
    def names(self) -> tuple[str, ...]:
        return (self.boxes_xyxy, self.scores)

    def shapes(self, num_classes: int) -> dict[str, tuple[int, ...]]:
        """Give each output's shape for one picture, without the batch."""
        return {
            self.boxes_xyxy: (self.num_places, 4),
            self.scores: (self.num_places, num_classes),
        }


@dataclass(frozen=True, kw_only=True)
class DetectionRows:
    """Decoded, and NMS done with the card's thresholds, inside the file.

    - `detections`: name of (n, 7): place in the batch, x1, y1, x2, y2 in input pixels and clipped
      to the input, score, label; in no particular order.
    """

    detections: str = "detections"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.detections,)

    def shapes(self, num_classes: int) -> dict[str, tuple[int, ...]]:
        """Give nothing: how many rows there are depends on the pictures."""
        return {}


FileOutputs = PriorOutputs | CellOutputs | BoxOutputs | DetectionRows

KINDS: dict[str, type[FileOutputs]] = {
    "priors": PriorOutputs,
    "cells": CellOutputs,
    "boxes": BoxOutputs,
    "detections": DetectionRows,
}
"""The names that a card has for them."""


def as_places(places_cxcywh: NDArray[Any]) -> Places:
    """Turn (p, 4) float32 places into the shortest decimals that are the same float32 again."""
    rows = np.asarray(places_cxcywh, np.float32)
    return tuple((_short(a), _short(b), _short(c), _short(d)) for a, b, c, d in rows)


def _short(value: np.float32) -> float:
    return float(str(value))
