"""The yardstick of a round: where the healthy and the faulty end lie, and how far seeds scatter.

With n seeds of a subject and m of the healthy end, the mean of the subject lies at the position
(mean - healthy) / (faulty - healthy), 0 for healthy and 1 for as bad as the faulty end, give or
take 2 s √(1/n + 1/m) / (faulty - healthy), where s is the scatter of one seed. Seeds are paired
(equal batches, equal weights in equal modules), and often good or bad for both: where the
differences seed by seed scatter less, by d, they are what counts, give or take 2 d / √n.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

ONE_SEED = 0.25
"""Ends are plainly apart where one seed places a subject within this share of the way."""

SEPARATE = 4.0
"""Scatters. Fewer, and with three seeds a side the ends may well be the same (t = 4.9)."""

CHANCE = 0.01
"""How often paired differences of equal ends may seem to be one; lengths and signals are tried."""

STANDARD_ERRORS = 2.0
LEAST_SCATTER = 0.005
"""Of the healthy mean: three seeds can agree by accident."""

FAULTY_FROM = 0.5
"""The position from which a subject is at fault for what sets the ends apart."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A signal at a number of steps, the two ends' means in it, and the scatter of a seed.

    - `seeds`: the healthy end's values; `paired`: the scatter of a difference of one seed, None
      where the faulty end was not trained with the same seeds.
    """

    signal: str
    steps: int
    healthy: float
    faulty: float
    scatter: float
    seeds: tuple[float, ...]
    paired: float | None = None

    @property
    def gap(self) -> float:
        return self.faulty - self.healthy

    @property
    def distance(self) -> float:
        """How many scatters the ends are apart; negative where the altered end is better."""
        return self.gap / self.scatter

    @property
    def clarity(self) -> float:
        """Beyond 1 the ends are apart by more than seeds explain; negative as `distance`."""
        plain = abs(self.distance) / SEPARATE
        if self.paired is not None:
            t = abs(self.gap) * sqrt(len(self.seeds)) / self.paired
            plain = max(plain, t / float(student.isf(CHANCE / 2, len(self.seeds) - 1)))
        return plain if self.gap >= 0 else -plain

    @property
    def is_plain(self) -> bool:
        """Whether one seed is enough to tell either end from the middle."""
        _, error = self.position(self.seeds[:1])
        return abs(self.clarity) >= 1 and error <= ONE_SEED

    def position(self, values: Sequence[float]) -> tuple[float, float]:
        """Give where the first seeds of a subject lie, and the uncertainty of that."""
        number = len(values)
        error = STANDARD_ERRORS * self.scatter * sqrt(1 / number + 1 / len(self.seeds))
        way = mean(values) - self.healthy
        if self.paired is not None and number <= len(self.seeds):
            of_pairs = STANDARD_ERRORS * self.paired / sqrt(number)
            if of_pairs < error:
                error, way = of_pairs, mean(values) - mean(self.seeds[:number])
        gap = self.gap or 1e-9
        return way / gap, error / abs(gap)

    def to_data(self) -> dict[str, Any]:
        return {**asdict(self), "distance": self.distance, "clarity": self.clarity}


def scale_between(
    signal: str,
    steps: int,
    healthy: Sequence[float],
    faulty: Sequence[float],
    *,
    is_measured: bool = True,
) -> Scale:
    """Lay a scale between the seeds of both ends, paired; at least two each.

    Either scatter is at least that of the healthy seeds, since three differences can agree by
    accident. `is_measured`: whether `faulty` comes of trainings.
    """
    differences = [bad - good for good, bad in zip(healthy, faulty, strict=True)]
    least = max(LEAST_SCATTER * abs(mean(healthy)), 1e-9)
    paired = max(stdev(differences), stdev(healthy), least)
    return Scale(
        signal=signal,
        steps=steps,
        healthy=mean(healthy),
        faulty=mean(faulty),
        scatter=max(stdev(healthy), stdev(differences) / sqrt(2), least),
        seeds=tuple(healthy),
        paired=paired if is_measured else None,
    )
