"""Weights that are summed up, and were made to sum to one over another axis.

## What it finds
A softmax (or a division by one's own sum) whose result is multiplied with values and summed up
over an axis along which it holds one member only of each of its sets: an attention whose softmax
runs over the queries, the heads or the batch, and not over the keys; an expected value over bins
whose softmax runs over the sides. Products and sums written out count as matrix products do.

## Why it costs AP
The weights that are summed up for one result do not sum to 1. Queries compete for keys, or heads
for pairs: what comes out changes its size from place to place, and an expected distance may be
three times the largest bin.

## Usual causes
- `softmax(dim=1)` or `dim=-2` for scores of (batch, queries, keys), or of (batch, heads, …).
- Scores computed as keys times queries, and a `softmax(dim=-1)`.
- A hard-coded axis that was right for three axes and is given four.

## When it is not a fault
Slot attention, which divides by the sum over the keys afterwards; soft assignments to clusters,
whose logits come from a layer; linear attention, whose queries' softmax runs over channels. All of
these are left alone.
"""

from collections.abc import Iterator

import torch

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.summed_shares import SummedShare
from pocketdet.doctor.trace import Run, Trace
from pocketdet.doctor.trace.replay import last_reads


def find_softmax_over_queries(
    trace: Trace, summed_shares: tuple[SummedShare, ...]
) -> Iterator[Fault]:
    wrong = {
        one.summing.index: one
        for one in summed_shares
        if one.are_apart and (one.is_of_products or one.is_fixed)
    }
    run, unneeded = Run(trace), last_reads(trace)
    seen: set[tuple[str | None, str]] = set()
    kept: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        for op in trace.forward_ops if wrong else []:
            if op.index in wrong:
                one = wrong[op.index]
                place = one.share.where, str(one.share.source)
                if place not in seen:
                    seen.add(place)
                    yield _fault(one, kept[id(one.weights)])
            run.step(op)
            for one in wrong.values():
                if one.weights.producer is op:
                    kept[id(one.weights)] = run.tensors[one.weights.slot].clone()
            for slot in unneeded.get(op.index, ()):
                run.tensors.pop(slot, None)


def _fault(one: SummedShare, weights: torch.Tensor) -> Fault:
    sums = weights.double().expand(one.shape).sum(one.axes)
    least, most = float(sums.min()), float(sums.max())
    share = one.share
    name = "softmax" if share.name == "_softmax" else "division by the sum"
    shape = "×".join(map(str, share.inputs[0].shape))
    return Fault(
        where=share.where or "",
        source=share.source,
        evidence=f"This {name} of {shape} scores runs over another axis than `{one.summing.name}` "
        f"sums over: the weights that are summed up for one result sum to between {least:.3g} and "
        f"{most:.3g}, not to 1.",
        measured={"least": least, "most": most},
        at=share.index,
    )


CHECK = Check(
    id="softmax-over-queries",
    summary="weights that are summed up over another axis than they sum to one",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Run the softmax over the keys, or the bins: the axis that the product with the values "
    "sums over.",
    find=find_softmax_over_queries,
    explained_by=("softmax-over-one", "batch-mixing"),
)
