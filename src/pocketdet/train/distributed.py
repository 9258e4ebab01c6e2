"""The processes that train together: one alone, or those that `torchrun` started.

Plain `torch.distributed`: see docs/decisions/0002-plain-torch-distributed.md.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
import os
from typing import Any

import torch
from torch import Tensor
import torch.distributed as dist

# Everybody waits while the first process evaluates, which on a large data set takes its time.
WAIT_AT_MOST = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class World:
    """One process's place among all that train together.

    - `rank`: its number, from 0; the first one alone evaluates, writes and reports;
    - `size`: how many there are;
    - `device`: where this process computes;
    - `control`: the gloo group over which they agree and wait; None when there is one process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")
    control: dist.ProcessGroup | None = None

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes; it is changed in place and returned."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def tell_all(self, value: Any) -> Any:
        """Give every process the first one's value, waiting for it as long as it takes."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self.control)
        return box[0]


@contextmanager
def join_world(device: str = "auto") -> Generator[World]:
    """Find this process's place and device, and leave in order at the end.

    `device` is "auto" (a CUDA GPU if there is one), "cpu", "cuda" or "cuda:N". Under `torchrun`
    the GPU is that of the local rank, and the processes talk over nccl on GPUs and gloo on
    CPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = resolve_device(device, local_rank=int(os.environ.get("LOCAL_RANK", "0")))
    if size == 1:
        yield World(device=chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        control = dist.new_group(backend="gloo", timeout=WAIT_AT_MOST)
        assert isinstance(control, dist.ProcessGroup)
        yield World(rank=dist.get_rank(), size=size, device=chosen, control=control)
    finally:
        dist.destroy_process_group()


def resolve_device(device: str, *, local_rank: int = 0) -> torch.device:
    """Turn the name of a device into one that is there, or raise `ValueError`."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"`device` must be auto, cpu, cuda or cuda:N; got {device!r}.")
    if kind == "cpu":
        return torch.device("cpu")
    number = int(device.partition(":")[2] or local_rank)
    if number >= torch.cuda.device_count():
        raise ValueError(
            f"`device` must be one that is there; got {device!r}, and torch sees "
            f'{torch.cuda.device_count()} CUDA GPUs here. Take "cpu".'
        )
    return torch.device("cuda", number)
