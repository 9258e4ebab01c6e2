"""What a process used: memory at its peak, and how often a core was taken from it."""

from pathlib import Path
import sys


def peak_bytes() -> int:
    """Give the most memory that this process held so far (resident), 0 where it is not known."""
    if sys.platform == "linux":  # `getrusage` would count what the parent held when it forked
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def involuntary_switches() -> int:
    """Count how often another process was given a core that this one wanted to keep."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
