"""How many channels of each group go, for a target of the whole detector."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from pocketdet.compress.channels.scores import Scores, lowest, relative
from pocketdet.compress.channels.units import ChannelGroups, Group, Unit
from pocketdet.model.nearest_name import known_name

Choose = Callable[[float], list[Unit]]
"""From the strength, 0 to 1, to the units that go: never fewer for a higher strength."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What stays of every group: at least `least_share` of it, in multiples of `multiple`."""

    least_share: float = 0.1
    multiple: int = 1

    def kept(self, group: Group, wanted: float) -> int:
        """Round a number of channels to one that is allowed."""
        least = max(1, ceil(self.least_share * len(group)))
        rounded = ceil(max(wanted, least) / self.multiple - 1e-9) * self.multiple
        return min(len(group), rounded)


def uniform(groups: ChannelGroups, scores: Scores, limits: Limits) -> Choose:
    """Take the same share from each group."""

    def choose(strength: float) -> list[Unit]:
        shares = {group.name: 1 - strength for group in groups.groups}
        return given(groups, scores, shares, limits)

    return choose


def ranked(groups: ChannelGroups, scores: Scores, limits: Limits) -> Choose:
    """Take what scores lowest in all groups together, each score relative to its group's mean."""
    compared = relative(scores)
    known = np.concatenate([own[~np.isnan(own)] for own in compared] or [np.zeros(1)])

    def choose(strength: float) -> list[Unit]:
        threshold = np.quantile(known, strength)
        gone: list[Unit] = []
        for group, own in zip(groups.groups, compared, strict=True):
            if not np.isnan(own).any():
                kept = limits.kept(group, float(np.count_nonzero(own > threshold)))
                gone += lowest(group.units, own, len(group) - kept)
        return gone

    return choose


def given(
    groups: ChannelGroups, scores: Scores, shares: Mapping[str, float], limits: Limits
) -> list[Unit]:
    """Keep the given share of each named group, and all of the others."""
    gone: list[Unit] = []
    for group, own in zip(groups.groups, scores, strict=True):
        share = share_of(group.name, shares)
        if share is not None and not np.isnan(own).any():
            kept = limits.kept(group, share * len(group))
            gone += lowest(group.units, own, len(group) - kept)
    return gone


def share_of(name: str, shares: Mapping[str, float]) -> float | None:
    """Find what is given for a group: by its own name, else by the longest module it is in."""
    inside = [key for key in shares if name == key or name.startswith(f"{key}.")]
    return shares[max(inside, key=len)] if inside else None


def check_shares(shares: Mapping[str, float], groups: Sequence[Group]) -> None:
    """Raise `ValueError` for a share off (0, 1], or one of a module without a group."""
    for name, share in shares.items():
        if not 0 < share <= 1:
            raise ValueError(f"`layers` must be shares to keep, in (0, 1]; {name} has {share:g}.")
        if not any(share_of(group.name, {name: share}) for group in groups):
            known_name(name, [group.name for group in groups], "group of channels")


def strength_for(choose: Choose, cost: Callable[[list[Unit]], float], target: float) -> float:
    """Find the least strength whose cost is at most the target; 1 where none is."""
    low, high = 0.0, 1.0
    if cost(choose(low)) <= target:
        return low
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if cost(choose(middle)) <= target else (middle, high)
    return high
