"""An attention whose softmax runs over the queries, not over what they attend to.

## What it finds
A product of softmax weights with values in which the weights that are summed up do not sum to 1,
while those along the other axis do; the softmax's logits being products of queries and keys.

## Why it costs AP
Queries compete for keys: a place that many look at is shared out among them, and one query gets
three times its values and another a tenth. What comes out changes its size from place to place.

## Usual causes
- `softmax(dim=1)` or `dim=-2` for scores of (batch, queries, keys).
- Scores computed as keys times queries, and a `softmax(dim=-1)`.
- A hard-coded axis that was right for three axes and is given four.

## When it is not a fault
Slot attention, which divides by the sum over the keys afterwards; soft assignments to clusters,
whose logits come from a layer; linear attention, whose queries' softmax runs over channels. All of
these are left alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Run, Trace
from pocketdet.doctor.trace.between import is_made_by
from pocketdet.doctor.trace.origin import makers
from pocketdet.doctor.trace.replay import last_reads

PRODUCTS = frozenset({"bmm", "mm", "matmul"})
LEVEL = 1e-3  # by which sums of 1 may differ
MOST_STEPS = 6  # from queries and keys to the softmax: scale, bias, mask, reshape


def find_softmax_over_queries(trace: Trace) -> Iterator[Fault]:
    weighted = {
        op.index: (which, softmax)
        for op in trace.named(*PRODUCTS)
        for which in (0, 1)
        if (softmax := _softmax_behind(op, which)) is not None
    }
    run, unneeded = Run(trace), last_reads(trace)
    seen: set[tuple[str | None, str]] = set()
    with torch.no_grad():
        for op in trace.forward_ops if weighted else []:
            if op.index in weighted:
                which, softmax = weighted[op.index]
                sums = _wrong_sums(run.tensors[op.inputs[which].slot], which)
                if sums is not None and (softmax.where, str(softmax.source)) not in seen:
                    seen.add((softmax.where, str(softmax.source)))
                    yield _fault(softmax, sums)
            run.step(op)
            for slot in unneeded.get(op.index, ()):
                run.tensors.pop(slot, None)


def _softmax_behind(op: Op, which: int) -> Op | None:
    sources = list(makers(op.inputs[which]))
    if len(sources) != 1 or sources[0].name != "_softmax":
        return None
    return sources[0] if is_made_by(sources[0], PRODUCTS, MOST_STEPS) else None


def _wrong_sums(weights: Tensor, which: int) -> tuple[float, float] | None:
    """Give the range of the sums that are taken, where the others are those that are 1."""
    taken, other = (-1, -2) if which == 0 else (-2, -1)
    sums = weights.double().sum(taken)
    across = weights.double().sum(other)
    if bool(((sums - 1).abs() < LEVEL).all()) or not bool(((across - 1).abs() < LEVEL).all()):
        return None
    return float(sums.min()), float(sums.max())


def _fault(softmax: Op, sums: tuple[float, float]) -> Fault:
    shape = "×".join(map(str, softmax.inputs[0].shape))
    return Fault(
        where=softmax.where or "",
        source=softmax.source,
        evidence=f"This softmax of {shape} scores runs over the axis that is kept: the weights "
        f"that are summed up for one result sum to between {sums[0]:.3g} and {sums[1]:.3g}, not "
        "to 1.",
        measured={"least": sums[0], "most": sums[1]},
        at=softmax.index,
    )


CHECK = Check(
    id="softmax-over-queries",
    summary="an attention whose softmax runs over the queries",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Run the softmax over the keys: the axis that the product with the values sums over.",
    find=find_softmax_over_queries,
    explained_by=("softmax-over-one",),
)
