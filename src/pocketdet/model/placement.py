"""Build the attention blocks of a config at the places that it names."""

from collections.abc import Sequence
from math import log2

from torch import nn

from pocketdet.model.attention import Attention, PlacedAttention
from pocketdet.model.attention.placed import GROUPS, placed
from pocketdet.model.nearest_name import known_name


class AttentionPlaces:
    """The places of a detector in the order in which it is built, and the blocks behind them.

    `modules` holds a module for each place that has any, under its `place_key`.
    """

    def __init__(self, choice: Attention | Sequence[PlacedAttention]) -> None:
        self.choices = placed(choice)
        self.modules = nn.ModuleDict()
        self.seen: list[str] = []

    def behind(self, place: str, channels: int) -> nn.Module:
        """Build what stands behind a place; an identity, which is not kept, where nothing does."""
        self.seen.append(place)
        blocks = [choice.build(channels) for choice in self.choices if choice.stands_behind(place)]
        if not blocks:
            return nn.Identity()
        module = blocks[0] if len(blocks) == 1 else nn.Sequential(*blocks)
        self.modules[place_key(place)] = module
        return module

    def check_all_found(self) -> None:
        """Raise `ValueError` when the config names a place that there is not."""
        there = [*self.seen, *(g for g, kind in GROUPS.items() if _any(self.seen, kind))]
        for choice in self.choices:
            for name in choice.after:
                known_name(name, there, "place for `attention.after`")


def _any(places: list[str], kind: str) -> bool:
    return any(place.startswith(kind) for place in places)


def place_key(place: str) -> str:
    """Give a place's name as a module's name, which may have no dot."""
    return place.replace(".", "_")


def level_names(first_map_height: int, input_height: int, num_levels: int) -> tuple[str, ...]:
    """Name the levels `neck.p4`, `neck.p5`, …, after the finest one's stride, 2 to the 4th.

    The others count on from there, so that their names differ even where a level's map is more,
    or less, than half of the one before.
    """
    first = round(log2(input_height / first_map_height))
    return tuple(f"neck.p{first + index}" for index in range(num_levels))
