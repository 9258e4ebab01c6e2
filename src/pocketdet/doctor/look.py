"""Where in the image values look: the middle and the reach of what they depend on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NUM_HALVES = 2  # independent estimates; what only one of them shows is noise
TINY = 1e-30


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """Moments of the squared input gradient J² of values, in pixels of the image.

    - `power`: Σ J², `x`, `y`: Σ J²·x and Σ J²·y over the image's pixels, each in two halves that
      were estimated from different noise, (2, *shape);
    - `variance`: Σ J²·((x - centre)² + (y - centre)²) / 2, (*shape).

    A pixel's place is its middle, as in boxes: the first one is at .5.
    """

    power: Tensor
    x: Tensor
    y: Tensor
    variance: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.variance.shape)

    def summed(self, axes: Sequence[int]) -> "Look":
        """Join the values along these axes into one that looks where they all look."""
        axes = sorted(axis % len(self.shape) for axis in axes)
        if not axes:
            return self
        halves = [axis + 1 for axis in axes]
        return Look(
            power=self.power.sum(halves),
            x=self.x.sum(halves),
            y=self.y.sum(halves),
            variance=self.variance.sum(axes),
        )

    def reshaped(self, *shape: int) -> "Look":
        return Look(
            power=self.power.reshape(NUM_HALVES, *shape),
            x=self.x.reshape(NUM_HALVES, *shape),
            y=self.y.reshape(NUM_HALVES, *shape),
            variance=self.variance.reshape(*shape),
        )

    def moved(self, axis: int, to: int) -> "Look":
        """Move an axis; both are counted without the halves."""
        axis, to = axis % len(self.shape), to % len(self.shape)
        return Look(
            power=self.power.movedim(axis + 1, to + 1),
            x=self.x.movedim(axis + 1, to + 1),
            y=self.y.movedim(axis + 1, to + 1),
            variance=self.variance.movedim(axis, to),
        )

    @property
    def centres(self) -> Tensor:
        """The middle of what is looked at, x and y by both halves together, (*shape, 2)."""
        power = self.power.sum(0).clamp_min(TINY)
        return torch.stack([self.x.sum(0) / power, self.y.sum(0) / power], dim=-1)

    @property
    def halves(self) -> Tensor:
        """The same by each half alone, (2, *shape, 2)."""
        power = self.power.clamp_min(TINY)
        return torch.stack([self.x / power, self.y / power], dim=-1)

    @property
    def spread(self) -> Tensor:
        """The root mean square distance along one axis from the middle, (*shape)."""
        return (self.variance / self.power.sum(0).clamp_min(TINY)).clamp_min(0).sqrt()

    @property
    def is_seeing(self) -> Tensor:
        """Whether a value depends on the image at all, (*shape)."""
        power = self.power.amin(0)
        return power > 1e-9 * power.mean().clamp_min(TINY)
