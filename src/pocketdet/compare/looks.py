"""How sure each look must be, when results are looked at after every seed.

Who looks five times at 95 % is wrong far more often than once in twenty. The error that may be
made is spent over the looks instead (Lan and DeMets 1983), alpha * (k / N)³: little at three seeds,
nearly all at the last. The bounds are those of a group-sequential t test, found by simulation,
since with two or three seeds a normal approximation is far too sure of itself.

AP is not normal: short trainings take off or do not, and lie in two clusters. Two seeds then agree
by accident one time in eight, and a t test of two takes that for certainty. So the first look is at
three, and `ALPHA` leaves a fifth of the promised 5 % to what else is not normal.
"""

from functools import cache

import numpy as np
from scipy.stats import t as student

FEWEST_SEEDS = 2
"""One seed shows no spread."""

FIRST_LOOK = 3
"""Where more than two seeds are planned."""

ALPHA = 0.04
NUM_SIMULATED = 200_000


@cache
def look_levels(num_seeds: int, *, alpha: float = ALPHA) -> dict[int, float]:
    """Give, for looks at 3 (or both) to `num_seeds` seeds, the two-sided level of the t test there.

    Over all looks together a difference is claimed where there is none with probability `alpha`.
    """
    if num_seeds < FEWEST_SEEDS:
        raise ValueError(
            f"`num_seeds` must be at least {FEWEST_SEEDS}: one seed shows no spread; got "
            f"{num_seeds}."
        )
    draws = np.random.default_rng(0).standard_normal((NUM_SIMULATED, num_seeds))
    counts = np.arange(1, num_seeds + 1)
    means = np.cumsum(draws, axis=1) / counts
    squares = np.cumsum(draws**2, axis=1) - counts * means**2
    going_on = np.ones(NUM_SIMULATED, bool)
    levels: dict[int, float] = {}
    spent = 0.0
    for k in range(min(FIRST_LOOK, num_seeds), num_seeds + 1):
        error = np.sqrt(squares[:, k - 1] / (k - 1) / k)
        statistic = np.abs(means[:, k - 1]) / error
        to_spend = alpha * (k / num_seeds) ** 3 - spent
        remaining = np.where(going_on, statistic, -1.0)
        place = max(1, round(to_spend * NUM_SIMULATED))
        bound = float(np.partition(remaining, -place)[-place])
        levels[k] = float(2 * student.sf(bound, k - 1))
        going_on &= statistic < bound
        spent = 1 - float(going_on.mean())
    return levels
