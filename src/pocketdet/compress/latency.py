"""Measured time of one picture, several detectors in turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from pocketdet.compress.runtimes import RUNTIMES, Runtime, thread_count
from pocketdet.data.progress import Progress, silent
from pocketdet.model import Detector
from pocketdet.model.nearest_name import known_name

WARM_UP = 3


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds a picture: the median, and the first and last decile as its spread.

    `least` is what it takes when nothing else disturbs. On a machine that others use too it is the
    only figure to trust, and what steps that look for a time go by.
    """

    runtime: str
    threads: int
    median: float
    p10: float
    p90: float
    least: float
    runs: int


def measure_latencies(
    detectors: Mapping[str, Detector],
    *,
    runtime: str = "auto",
    threads: int = 1,
    rounds: int = 30,
    progress: Progress = silent,
) -> dict[str, Latency]:
    """Time the raw network of each detector on one picture of its contract's size.

    They take turns, so that a slow moment of the machine meets all of them. What `runtime` "auto"
    is, is in the result.
    """
    chosen = resolve_runtime(runtime)
    with thread_count(threads):
        calls = {name: chosen.prepare(detector, threads) for name, detector in detectors.items()}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(WARM_UP + rounds):
            progress("timing", turn, WARM_UP + rounds)
            for name, call in calls.items():
                taken = _timed(call)
                if turn >= WARM_UP:
                    seconds[name].append(taken)
        progress("timing", WARM_UP + rounds, WARM_UP + rounds)
    return {
        name: _latency(taken, runtime=chosen.name, threads=threads)
        for name, taken in seconds.items()
    }


def resolve_runtime(name: str) -> Runtime:
    """Give the runtime of a name; "auto" is the first one that is installed."""
    if name == "auto":
        return next(runtime for runtime in RUNTIMES if runtime.is_installed())
    runtimes = {runtime.name: runtime for runtime in RUNTIMES}
    runtime = runtimes[known_name(name, ["auto", *runtimes], "runtime")]
    if not runtime.is_installed():
        raise ValueError(f"`runtime` {name} is not installed; {runtime.remedy}")
    return runtime


def _timed(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def _latency(seconds: Sequence[float], *, runtime: str, threads: int) -> Latency:
    least, p10, median, p90 = (float(v) for v in np.percentile(seconds, (0, 10, 50, 90)) * 1000)
    return Latency(
        runtime=runtime,
        threads=threads,
        median=median,
        p10=p10,
        p90=p90,
        least=least,
        runs=len(seconds),
    )
