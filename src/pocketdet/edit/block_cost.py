"""What a block costs: parameters, multiply-accumulates, activation memory, time on this CPU."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from pocketdet.edit.blocks import Block
from pocketdet.model.cost import count_parameters


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds of one call with one picture: the median, and the middle half of all calls."""

    median_ms: float
    low_ms: float
    high_ms: float
    num_calls: int


@dataclass(frozen=True, kw_only=True)
class BlockCost:
    """What one block costs for one picture.

    `activation_bytes` is all that its operators write (each storage once): what training keeps.
    `latency` is None where nothing was timed.
    """

    parameters: int
    macs: int
    activation_bytes: int
    latency: Latency | None = None


@torch.no_grad()
def count_cost(block: Block) -> BlockCost:
    """Count a block's cost, without its time; its mode is that of the detector."""
    counter: Any = FlopCounterMode(display=False)
    with counter:
        block.module(*block.given)
    written = _Written()
    with written:
        block.module(*block.given)
    return BlockCost(
        parameters=count_parameters(block.module),
        macs=int(counter.get_total_flops()) // 2,
        activation_bytes=written.num_bytes(without=[*_tensors(block.given), *_held(block.module)]),
    )


def _held(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


class _Written(TorchDispatchMode):
    """Keeps what operators put out, so that no storage is given out twice, and adds it up."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[Tensor] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        self._kept += _tensors(output)
        return output

    def num_bytes(self, *, without: Iterable[Tensor]) -> int:
        old = {tensor.untyped_storage().data_ptr() for tensor in without}
        sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in self._kept}
        return sum(size for address, size in sizes.items() if address not in old)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


@torch.inference_mode()
def time_interleaved(
    calls: Mapping[str, Callable[[], object]], *, rounds: int, warm_up: int = 3
) -> dict[str, Latency]:
    """Time calls in turns, every second round backwards, so that all see the same machine.

    One after the other would charge the second one with whatever the machine did meanwhile.
    """
    if rounds < 2:
        raise ValueError(f"`rounds` must be at least 2, for a spread; got {rounds}.")
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-warm_up, rounds):
        order = list(calls)[:: 1 if number % 2 else -1]
        for name in order:
            start = perf_counter()
            calls[name]()
            if number >= 0:
                seconds[name].append(perf_counter() - start)
    return {name: _latency(times) for name, times in seconds.items()}


def _latency(seconds: list[float]) -> Latency:
    low, _, high = quantiles(seconds, n=4, method="inclusive")
    return Latency(
        median_ms=median(seconds) * 1e3,
        low_ms=low * 1e3,
        high_ms=high * 1e3,
        num_calls=len(seconds),
    )
