"""What a search decides: how much of its channels each part keeps, within a budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pocketdet.compress.channels.ratios import Limits, given
from pocketdet.compress.channels.scores import Scores
from pocketdet.compress.channels.units import ChannelGroups
from pocketdet.compress.search.parts import Per, parts_of

HALVINGS = 24
"""Of the factor that brings shares to a budget: far finer than one channel."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelSpace:
    """Shares of channels to keep, one number in [0, 1] for each part or layer.

    Numbers are relative: 1 is the part that keeps most. `shares` scales them until the detector
    costs `macs` of what it does, so that every proposal has the same budget; with None they are
    the shares themselves, and cost what they cost.
    """

    groups: ChannelGroups
    scores: Scores
    limits: Limits
    macs: float | None
    per: Per = "part"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What is decided on, in the order of the network."""
        names = (group.name for group in self.groups.groups)
        return tuple(dict.fromkeys(parts_of(names, self.per)))

    def shares(self, numbers: Sequence[float]) -> dict[str, float]:
        """Give the share that each part keeps, in (0, 1]."""
        if self.macs is None:
            return self._scaled(numbers, 1.0)
        low, high = 0.0, 1.0 / max(*numbers, self.least, 1e-9)
        while high < 1e6 and self.cost(self._scaled(numbers, high)) < self.macs:
            low, high = high, 2 * high
            if all(share == 1.0 for share in self._scaled(numbers, low).values()):
                break
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            fits = self.cost(self._scaled(numbers, middle)) <= self.macs
            low, high = (middle, high) if fits else (low, middle)
        return self._scaled(numbers, low)

    @property
    def uniform(self) -> tuple[float, ...]:
        """The numbers of the uniform setting: every part keeps the same share."""
        return (1.0,) * len(self.names)

    def with_budget(self, macs: float) -> "ChannelSpace":
        """Give the same space with a budget."""
        return replace(self, macs=macs)

    def cost(self, shares: Mapping[str, float]) -> float:
        """Give the share of multiply-accumulates that such a detector has."""
        units = given(self.groups, self.scores, shares, self.limits)
        return self.groups.macs(units) / self.groups.macs([])

    def weights(self) -> tuple[float, ...]:
        """Give the share of multiply-accumulates that goes with each part's channels."""
        least = dict.fromkeys(self.names, self.least)
        return tuple(1.0 - self.cost({name: least[name]}) for name in self.names)

    @property
    def least(self) -> float:
        """The least share that a part can keep."""
        return max(self.limits.least_share, 0.01)

    def _scaled(self, numbers: Sequence[float], factor: float) -> dict[str, float]:
        return {
            name: min(1.0, max(self.least, factor * number))
            for name, number in zip(self.names, numbers, strict=True)
        }
