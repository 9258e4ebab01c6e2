"""The verdict on one difference, and whether another seed could still change it."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from scipy.stats import norm

from pocketdet.compare.interval import Difference

Answer = Literal["better", "worse", "no difference that this budget can show"]

HOPELESS = 0.05
"""A chance below this that the remaining seeds would show a difference ends the comparison."""

FEWEST_TO_GIVE_UP = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An answer, with how many seeds more would settle a difference of `size`, in AP points.

    `further_seeds` is 0 where those that there are do, and None where no number would.
    """

    answer: Answer
    size: float
    further_seeds: int | None


def verdict_on(difference: Difference, *, size: float) -> Verdict:
    """Say what a difference (in AP points) shows; `size` is the difference that matters."""
    needed = difference.seeds_to_settle(size)
    further = None if needed is None else max(0, needed - difference.num_seeds)
    answer: Answer = "no difference that this budget can show"
    if difference.is_shown:
        answer = "better" if difference.value > 0 else "worse"
    return Verdict(answer=answer, size=size, further_seeds=further)


def why_to_stop(
    difference: Difference, *, num_seeds: int, final_level: float, size: float | None
) -> str:
    """Say why no further seed is needed, or nothing if one is; `final_level` is the last look's.

    Stopping because nothing can be shown any more never makes a false claim more likely.
    """
    if difference.is_shown:
        return "the difference is shown"
    if size is not None and -size < difference.low and difference.high < size:
        return f"any difference is smaller than {size:g}"
    chance = _chance(difference, num_seeds, final_level)
    if difference.num_seeds >= FEWEST_TO_GIVE_UP and chance < HOPELESS:
        return "the remaining seeds would hardly show one"
    return ""


def _chance(difference: Difference, num_seeds: int, final_level: float) -> float:
    """Estimate how likely the interval at the last seed excludes zero, if the trend goes on."""
    now, final = difference.num_seeds, num_seeds
    if final <= now:
        return 1.0
    half = difference.half_width_at(final, level=final_level)
    spread = sqrt(difference.seed_variance * (1 / now - 1 / final)) or 1e-12
    above = norm.sf((half - difference.value) / spread)
    return float(above + norm.cdf((-half - difference.value) / spread))
