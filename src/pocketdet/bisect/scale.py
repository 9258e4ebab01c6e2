"""The yardstick of a round: where the healthy and the faulty end lie, and how far seeds scatter.

With n seeds of a subject and m of the healthy end, the mean of the subject lies at the position
(mean - healthy) / (faulty - healthy), 0 for healthy and 1 for as bad as the faulty end, give or
take 2 s √(1/n + 1/m) / (faulty - healthy), where s is the scatter of one seed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any

PLAIN = 10.0
"""Ends so many scatters apart are told from each other, and from the middle, by one seed."""

SEPARATE = 4.0
"""Fewer than this, and with three seeds a side the ends may well be the same (t = 4.9)."""

STANDARD_ERRORS = 2.0
LEAST_SCATTER = 0.005
"""Of the healthy mean: three seeds can agree by accident."""

FAULTY_FROM = 0.5
"""The position from which a subject is at fault for what sets the ends apart."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A signal at a number of steps, the two ends' means in it, and the scatter of a seed."""

    signal: str
    steps: int
    healthy: float
    faulty: float
    scatter: float
    num_healthy: int

    @property
    def distance(self) -> float:
        """How many scatters the ends are apart; negative where the altered end is better."""
        return (self.faulty - self.healthy) / self.scatter

    def position(self, values: Sequence[float]) -> tuple[float, float]:
        """Give where some seeds of a subject lie, and the uncertainty of that."""
        gap = self.faulty - self.healthy
        error = self.scatter * sqrt(1 / len(values) + 1 / self.num_healthy)
        return (mean(values) - self.healthy) / gap, STANDARD_ERRORS * error / abs(gap)

    def to_data(self) -> dict[str, Any]:
        return {**asdict(self), "distance": self.distance}


def scale_between(
    signal: str, steps: int, healthy: Sequence[float], faulty: Sequence[float]
) -> Scale:
    """Lay a scale between the seeds of both ends, paired; at least two each.

    The scatter is the larger of that of the healthy seeds and that of the paired differences.
    """
    differences = [bad - good for good, bad in zip(healthy, faulty, strict=True)]
    scatter = max(
        stdev(healthy),
        stdev(differences) / sqrt(2),
        LEAST_SCATTER * abs(mean(healthy)),
        1e-9,
    )
    return Scale(
        signal=signal,
        steps=steps,
        healthy=mean(healthy),
        faulty=mean(faulty),
        scatter=scatter,
        num_healthy=len(healthy),
    )
