"""What each of several detectors costs, timed in turns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch

from pocketdet.conventions import ClassList
from pocketdet.edit.block_cost import Latency, time_interleaved
from pocketdet.model import DetectorConfig, build
from pocketdet.model.cost import count_macs, count_parameters


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Parameters, multiply-accumulates of one picture, and its time on this CPU."""

    parameters: int
    macs: int
    latency: Latency | None


def costs_of(
    configs: Mapping[str, DetectorConfig], classes: ClassList, *, rounds: int = 20
) -> dict[str, Cost]:
    """Measure each; with `rounds` of 0 nothing is timed."""
    built = {
        name: build(config, classes=classes, seed=0).eval() for name, config in configs.items()
    }
    pictures = {
        name: torch.zeros(1, 3, config.input.height, config.input.width)
        for name, config in configs.items()
    }
    latencies: dict[str, Latency] = {}
    if rounds:
        calls = {name: partial(built[name], pictures[name]) for name in configs}
        latencies = time_interleaved(calls, rounds=rounds)
    return {
        name: Cost(
            parameters=count_parameters(detector),
            macs=count_macs(detector, pictures[name]),
            latency=latencies.get(name),
        )
        for name, detector in built.items()
    }
