"""Which attention stands where."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pocketdet.model.attention.identity_start import IdentityStart
from pocketdet.model.attention.protocol import Attention, NoAttention
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.model.own_code import built
from pocketdet.model.stage.start import Start, check_start

GROUPS = {"stages": "stage", "extras": "extra", "head": "neck."}
"""Names of several places at once, with what the single names begin with."""


@dataclass(frozen=True, kw_only=True)
class PlacedAttention:
    """An attention block, the places that it stands behind, and how it starts.

    - `after`: `stem`, `stage1`, `stage2`, …, `extra1`, …, or `neck.p4`, `neck.p5`, …: the maps
      that the neck hands to the head, the finest one numbered by its stride (p4 is 16); or all of
      a kind: `stages`, `extras`, `head` (in front of the head, on every level);
    - `start`: `identity` makes the block change nothing at first (`IdentityStart`).
    """

    block: Attention
    after: tuple[str, ...] = ("stages",)
    start: Start = "random"

    def __post_init__(self) -> None:
        check_start(self.start)
        if not self.after:
            raise ValueError("`after` must name at least one place; got none.")

    def stands_behind(self, place: str) -> bool:
        """Say whether the block stands behind a single place."""
        kinds = tuple(GROUPS[name] for name in self.after if name in GROUPS)
        return place in self.after or (bool(kinds) and place.startswith(kinds))

    def build(self, channels: int) -> nn.Module:
        block = built("attention", self.block, channels)
        if self.start == "random" or _is_identity(block, channels):
            return block
        return IdentityStart(block, channels)


@torch.no_grad()
def _is_identity(block: nn.Module, channels: int) -> bool:
    """Try a block that may be the identity on its own; an α of zero on top would hold it there."""
    ramp = torch.linspace(-1, 1, channels * 12).view(1, channels, 4, 3)
    with evaluation_mode(block):
        return torch.equal(block(ramp), ramp)


def placed(choice: Attention | Sequence[PlacedAttention]) -> tuple[PlacedAttention, ...]:
    """Read a config's `attention`: a single block stands behind every stage."""
    if isinstance(choice, Sequence):
        return tuple(choice)
    return () if isinstance(choice, NoAttention) else (PlacedAttention(block=choice),)
