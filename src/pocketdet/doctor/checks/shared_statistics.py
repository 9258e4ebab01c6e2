"""One BatchNorm for inputs whose statistics are far apart.

## What it finds
A BatchNorm that runs several times in a pass, on inputs whose mean or spread, channel by channel,
are far apart in the typical channel.

## Why it costs AP
In training each call is normalised by its own batch; the running values are a mixture of all, and
fit none of them. In evaluation each level is shifted and scaled: the loss falls, and AP does not
rise.

## Usual causes
- A head with BatchNorm that is shared by the levels of a pyramid.
- One norm used behind two layers of a block.

## When it is not a fault
Shared norms whose inputs are alike (two views of an image), norms of an own for each level beside
shared convolutions, and GroupNorm, which keeps no running values: these are left alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Run, Trace
from pocketdet.doctor.trace.replay import last_reads

NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
APART = 2.0  # spreads between the means
TIMES = 3.5  # between the spreads; levels of a pyramid differ by two at random weights
LEAST_VALUES = 8  # of a channel


@torch.no_grad()
def find_shared_statistics(trace: Trace) -> Iterator[Fault]:
    calls: dict[str, list[Op]] = {}
    for op in trace.named(*NORMS):
        running = op.input_named("running_mean")
        if running is not None and running.kind == "buffer":
            calls.setdefault(running.name, []).append(op)
    shared = {op.index: name for name, ops in calls.items() if len(ops) > 1 for op in ops}
    if not shared:
        return
    for name, seen in _measured(trace, shared).items():
        yield from _compared(name.rpartition(".")[0], seen)


Seen = tuple[Op, Tensor, Tensor]


def _measured(trace: Trace, shared: dict[int, str]) -> dict[str, list[Seen]]:
    """Give each call with its input's mean and spread by channel."""
    found: dict[str, list[Seen]] = {}
    run, unneeded = Run(trace), last_reads(trace)
    for op in trace.forward_ops:
        if op.index in shared:
            given = run.tensors[op.inputs[0].slot].double().transpose(0, 1).flatten(1)
            if given.shape[1] >= LEAST_VALUES:
                spread, mean = torch.std_mean(given, 1)
                found.setdefault(shared[op.index], []).append((op, mean, spread))
        run.step(op)
        for slot in unneeded.get(op.index, ()):
            run.tensors.pop(slot, None)
    return found


def _compared(name: str, seen: list[Seen]) -> Iterator[Fault]:
    worst: tuple[float, float, Op] | None = None
    for number, (_, mean, spread) in enumerate(seen):
        for op, other_mean, other_spread in seen[number + 1 :]:
            whole = ((spread.square() + other_spread.square()) / 2).sqrt().clamp_min(1e-12)
            apart = float(((mean - other_mean).abs() / whole).median())
            ratio = (spread.clamp_min(1e-12) / other_spread.clamp_min(1e-12)).log().median()
            times = float(ratio.abs().exp())
            if (apart > APART or times > TIMES) and (worst is None or times > worst[1]):
                worst = apart, times, op
    if worst is not None:
        apart, times, op = worst
        yield Fault(
            where=name,
            source=op.source,
            evidence=f"`{name}` normalises {len(seen)} inputs in a pass by the same running "
            f"values, and in the typical channel two of them are {apart:.1f} spreads apart, with "
            f"spreads that differ {times:.1f} times.",
            measured={"apart": apart, "times": times, "calls": len(seen)},
            at=op.index,
        )


CHECK = Check(
    id="shared-statistics",
    summary="one BatchNorm for inputs whose statistics are far apart",
    stage=Stage.CALIBRATION,
    severity=Severity.WARNING,
    remedy="Give each level or place a BatchNorm of its own, beside shared convolutions, or use "
    "GroupNorm.",
    find=find_shared_statistics,
)
