"""Whether the pages of freed tensors stay with the process."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from pocketdet.train.freed_memory import keep_freed_memory
assert {keep} is False or keep_freed_memory()
def step():
    held = [torch.ones(1024, 1024) for _ in range(20)]
step()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*, keep: bool) -> int:
    program = PROGRAM.format(keep=keep)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_later_steps_find_the_pages_of_earlier_ones() -> None:
    assert page_faults(keep=True) * 10 < page_faults(keep=False)
