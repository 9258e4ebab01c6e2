"""Times of repeated calls as a median with its spread."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Milliseconds of one call: the median, and what a tenth of all calls stayed below and above.

    `num_calls` counts the calls behind it.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    num_calls: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timing":
        """Sum up at least two calls; raises `ValueError` for fewer, which have no spread."""
        if len(seconds) < 2:
            raise ValueError(f"`seconds` must be of at least 2 calls; got {len(seconds)}.")
        tenths = quantiles(seconds, n=10, method="inclusive")
        return cls(
            median_ms=median(seconds) * 1e3,
            p10_ms=tenths[0] * 1e3,
            p90_ms=tenths[-1] * 1e3,
            num_calls=len(seconds),
        )

    @property
    def spread(self) -> float:
        """How many times as long as a quick call a slow one takes: p90 over p10, at least 1."""
        return self.p90_ms / self.p10_ms

    def to_data(self) -> dict[str, Any]:
        return {**asdict(self), "spread": self.spread}
