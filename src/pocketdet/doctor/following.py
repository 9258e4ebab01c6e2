"""Whether what many values look at goes with the places that they speak of."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.doctor.observations.patches import Patches

TINY = 1e-30
RELIABLE = 0.6  # of what is looked at: below it there is too much noise
ASTRAY = 0.5  # healthy heads have .75 and more
CROSSED = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Following:
    """What n groups of values look at, beside n places; each (2,) is for x and y.

    - `reliability`: the correlation that the mean of both draws has with itself, were it drawn
      again (Spearman 1910, Brown 1910); below zero counts as zero;
    - `straight`: the correlation of what is looked at with the places, as it would be without
      noise; `crossed`: the same with x and y exchanged;
    - `moves`: the spread of what is looked at, as a share of that of the places.
    """

    num: int
    reliability: Tensor
    straight: Tensor
    crossed: Tensor
    moves: Tensor

    @property
    def is_reliable(self) -> bool:
        """Whether noise leaves enough to judge by."""
        return float(self.reliability.amin()) >= RELIABLE

    @property
    def worst(self) -> float:
        """The lower correlation of both axes."""
        return float(self.straight.amin())

    @property
    def is_astray(self) -> bool:
        """Whether what is looked at does not go with the places."""
        return self.worst < ASTRAY

    def words(self) -> str:
        """Say how far it goes with the places, in x and in y."""
        x, y = self.straight.tolist()
        is_crossed = float(self.crossed.amin()) > CROSSED
        return (
            f"the correlation is {x:+.2f} in x and {y:+.2f} in y, where healthy heads have .75 and "
            "more." + (" They look where x and y are exchanged." if is_crossed else "")
        )


def following(answers: Tensor, places: Tensor, patches: Patches) -> Following | None:
    """Compare (draws, n, patches) answers with (n, 2) places; None where nothing can be said.

    Each group's answers are divided by the mean of all groups', patch by patch: what all of
    them see, through a deep path, says nothing on any of them. The middle of what is left lies
    nearer to the image's middle than what it stands for, so correlations are given.
    """
    usual = answers.double().mean(1, keepdim=True)
    if len(places) < 3 or bool((usual <= TINY).any()):
        return None
    shares = answers.double() / usual
    shares = shares / shares.sum(2, keepdim=True).clamp_min(TINY)
    looks = shares @ patches.middles
    between = _correlation(looks[0], looks[1]).clamp(0, 1)
    reliability = 2 * between / (1 + between)
    middle = looks.mean(0)
    exact = reliability.sqrt().clamp_min(1e-3)
    return Following(
        num=len(places),
        reliability=reliability,
        straight=(_correlation(middle, places) / exact).clamp(-1, 1),
        crossed=(_correlation(middle, places.flip(1)) / exact).clamp(-1, 1),
        moves=middle.std(0) / places.std(0).clamp_min(TINY),
    )


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """Give the correlation of (n, 2) with (n, 2), column by column."""
    first, second = first - first.mean(0), second - second.mean(0)
    size = first.square().sum(0).sqrt() * second.square().sum(0).sqrt()
    return (first * second).sum(0) / size.clamp_min(TINY)


def scaled(answers: Tensor) -> Tensor:
    """Divide (draws, values, patches) answers by each value's mean: pixels would drown scores."""
    return answers / answers.mean((0, 2), keepdim=True).clamp_min(TINY)


def pooled(answers: Tensor, groups: list[Tensor]) -> Tensor:
    """Add up the answers of each group of values, (draws, groups, patches)."""
    return torch.stack([answers[:, group].sum(1) for group in groups], dim=1)
