"""The machine that figures were taken on, and what else it did meanwhile."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import os
from pathlib import Path
import platform
from time import perf_counter
from typing import Any

from pocketdet.bench.timing import Timing

MOST_OF_OTHERS = 0.1  # share of the cores: above it, caches and clock are no longer ours
MOST_PREEMPTED = 0.15  # share of calls: a quiet machine's own services preempt a few in a hundred
MOST_SPREAD = 1.5  # p90 over p10; quiet runs of a few milliseconds stay below 1.2
INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A CPU by its name, its cores that may be used, and the instructions that matter here."""

    cpu: str
    num_cores: int
    instructions: tuple[str, ...]
    system: str

    def __str__(self) -> str:
        known = f" ({', '.join(self.instructions)})" if self.instructions else ""
        return f"{self.cpu}{known}, {self.num_cores} cores"

    def to_data(self) -> dict[str, Any]:
        return {**asdict(self), "instructions": list(self.instructions)}


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """What other processes did while we measured.

    - `others_cores`: cores that they kept busy on average, None where the system does not say;
    - `preempted`: share of timed calls from which a core was taken away, in [0, 1];
    - `reasons`: why the figures are not to be trusted; none if they are.
    """

    others_cores: float | None
    preempted: float
    reasons: tuple[str, ...]

    def to_data(self) -> dict[str, Any]:
        return {**asdict(self), "reasons": list(self.reasons), "trusted": not self.reasons}


def this_machine() -> Machine:
    """Describe the machine that this process runs on."""
    info = _cpu_info()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return Machine(
        cpu=info.get("model name") or platform.processor() or platform.machine(),
        num_cores=num_usable_cores(),
        instructions=tuple(name for name in INSTRUCTIONS if name in flags),
        system=f"{platform.system()} {platform.machine()}",
    )


def num_usable_cores() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if os.name == "posix" else os.cpu_count() or 1


class Watch:
    """Looks at how busy the whole machine was from its making until `others_cores`."""

    def __init__(self) -> None:
        self._start, self._busy = perf_counter(), _busy_seconds()

    def others_cores(self, own_seconds: float) -> float | None:
        """Give the cores that others kept busy, when we used `own_seconds` of processor time."""
        now = _busy_seconds()
        if now is None or self._busy is None:
            return None
        return max(0.0, now - self._busy - own_seconds) / (perf_counter() - self._start)


def judge(
    timings: Sequence[Timing], *, others_cores: float | None, preempted: float, num_cores: int
) -> Disturbance:
    """Say whether figures can be trusted, and if not, why."""
    reasons: list[str] = []
    if others_cores is not None and others_cores > MOST_OF_OTHERS * num_cores:
        reasons.append(
            f"other processes kept {others_cores:.1f} of {num_cores} cores busy meanwhile"
        )
    if preempted > MOST_PREEMPTED:
        reasons.append(f"{preempted:.0%} of the calls lost their core to another process")
    widest = max((timing.spread for timing in timings), default=1.0)
    if widest > MOST_SPREAD:
        reasons.append(f"slow calls took {widest:.1f} times as long as quick ones (p90 to p10)")
    return Disturbance(others_cores=others_cores, preempted=preempted, reasons=tuple(reasons))


def _busy_seconds() -> float | None:
    """Give the processor time of all processes since boot, and what the host took (steal)."""
    try:
        first = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, soft, steal = (int(value) for value in first[:8])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def _cpu_info() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    info: dict[str, str] = {}
    for name, _, value in pairs:
        info.setdefault(name.strip(), value.strip())
    return info
