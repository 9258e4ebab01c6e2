"""What a head has to offer."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.distance_coder import DistanceCoder
from pocketdet.model.layers import Layers

BoxCode = BoxCoder | DistanceCoder
"""How raw outputs state boxes: `Predictions` by a `BoxCoder`, `PointPredictions` by the other."""


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

    @property
    def size(self) -> tuple[int, int]:
        return (self.height, self.width)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Which boxes one prediction of a head is for, for people to read.

    - `source`: the level that it reads;
    - `smallest`, `largest`: sizes of boxes in input pixels;
    - `num_places`: how many rows of raw outputs it gives.
    """

    source: int
    smallest: float
    largest: float
    num_places: int


class Head(Protocol):
    """A choice of head; `build` gives a module called with (levels, (height, width) of input).

    The module gives `RawOutputs`, and keeps in `places` (a `Places`) where they are relative to.
    Which of the two kinds it gives follows from `box_coder`; loss and decoding come with it.
    """

    @property
    def box_coder(self) -> BoxCode: ...

    def sources(self, num_levels: int) -> set[int]:
        """Give the levels that the head reads, where there are so many."""
        ...

    def coverage(
        self, levels: tuple[LevelShape, ...], input_size: tuple[int, int]
    ) -> tuple[Coverage, ...]:
        """Say, for each of its predictions, what it is for."""
        ...

    def build(
        self,
        levels: tuple[LevelShape, ...],
        *,
        input_size: tuple[int, int],
        num_classes: int,
        layers: Layers,
    ) -> nn.Module: ...
