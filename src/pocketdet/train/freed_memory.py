"""Memory that one step frees is kept for the next, instead of going back to the system."""

import ctypes
import platform

# Of glibc's malloc.h, for `mallopt`.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_TRIM = 2**31 - 1
# No larger value is taken: above it every tensor is mapped by itself, whatever is asked for.
LARGEST_MMAP = 32 * 2**20


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed; gives whether that could be arranged.

    A step on the CPU frees its activations and asks for the same sizes again. By default glibc
    gives them back to the system, which then fills every page with zeros anew: 690,000 page
    faults in 44 steps of `PELEE_SMALL`, a twelfth of the processor's time
    (benchmarks/freed_memory.py). It holds for the whole process, and the process's peak of
    memory hardly changes. Other C libraries are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    set_option = ctypes.CDLL(None).mallopt
    settings = ((M_TRIM_THRESHOLD, LARGEST_TRIM), (M_MMAP_THRESHOLD, LARGEST_MMAP))
    return all(set_option(option, value) == 1 for option, value in settings)
