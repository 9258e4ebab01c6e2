"""What `pocketdet bench` found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pocketdet.bench.layer_cost import LayerCost, least_seconds
from pocketdet.bench.machine import Disturbance, Machine
from pocketdet.bench.rates import Rates
from pocketdet.bench.workers import Measured


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One model on one runtime, with one number of threads and one size of input.

    - `model`: as the user named it; `way`: `eager`, `folded` or the runtime; `precision`: `fp32`,
      `fp16` or `int8`;
    - `file_bytes`: size of what is shipped; `layers`: its costs, none where nothing can say;
    - `note`: what has to be known, such as random weights.
    """

    model: str
    way: str = "eager"
    precision: str = "fp32"
    threads: int = 1
    height: int
    width: int
    file_bytes: int = 0
    layers: tuple[LayerCost, ...] = ()
    note: str = ""

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def computes_int8(self) -> bool:
        return self.precision == "int8"

    def num_bytes(self) -> int:
        """Give the bytes that its layers must move for one picture."""
        size = 1 if self.computes_int8 else 4
        return sum(layer.num_bytes(bytes_a_value=size) for layer in self.layers)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A candidate with its figures, and the least time that this CPU allows for it."""

    candidate: Candidate
    measured: Measured
    least_ms: float | None

    @property
    def share(self) -> float | None:
        """Give the least time over the median: 1 is all that this CPU can do."""
        timing = self.measured.timing
        return None if timing is None or self.least_ms is None else self.least_ms / timing.median_ms

    @property
    def macs_a_second(self) -> float | None:
        timing = self.measured.timing
        if timing is None or not self.candidate.layers:
            return None
        return self.candidate.macs / timing.median_ms * 1e3

    def to_data(self) -> dict[str, Any]:
        candidate, measured = self.candidate, self.measured
        return {
            "model": candidate.model,
            "way": candidate.way,
            "precision": candidate.precision,
            "threads": candidate.threads,
            "input": [candidate.height, candidate.width],
            "note": candidate.note,
            "error": measured.error or None,
            "timing": None if measured.timing is None else measured.timing.to_data(),
            "bytes_peak": measured.bytes_peak,
            "bytes_before": measured.bytes_before,
            "file_bytes": candidate.file_bytes,
            "macs": candidate.macs or None,
            "bytes_moved": candidate.num_bytes() or None,
            "least_ms": self.least_ms,
            "share_of_roofline": self.share,
            "macs_a_second": self.macs_a_second,
        }


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """All figures, the machine they hold for, and whether it was quiet."""

    machine: Machine
    rates: Mapping[int, Rates]
    rows: tuple[Row, ...]
    disturbance: Disturbance

    @property
    def failed(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.measured.error)

    def to_data(self, *, layers: bool = False) -> dict[str, Any]:
        """Give everything as plain data; with `layers`, each row's own too."""
        rows = [row.to_data() for row in self.rows]
        if layers:
            for data, row in zip(rows, self.rows, strict=True):
                rates = self.rates[row.candidate.threads]
                data["layers"] = [
                    _layer(layer, row.candidate, rates) for layer in row.candidate.layers
                ]
        return {
            "machine": self.machine.to_data(),
            "rates": {str(threads): rates.to_data() for threads, rates in self.rates.items()},
            "disturbance": self.disturbance.to_data(),
            "rows": rows,
        }


def row_of(candidate: Candidate, measured: Measured, rates: Rates) -> Row:
    """Set a candidate's figures beside the roofline of its number of threads."""
    int8 = candidate.computes_int8
    least = least_seconds(candidate.layers, rates, int8=int8) if candidate.layers else None
    return Row(
        candidate=candidate,
        measured=measured,
        least_ms=None if least is None else least * 1e3,
    )


def _layer(layer: LayerCost, candidate: Candidate, rates: Rates) -> dict[str, Any]:
    int8 = candidate.computes_int8
    return {
        **layer.to_data(),
        "bytes": layer.num_bytes(bytes_a_value=1 if int8 else 4),
        "least_ms": layer.least_seconds(rates, int8=int8) * 1e3,
        "bound_by": "memory" if layer.is_bound_by_memory(rates, int8=int8) else "multiplying",
    }
