"""Values that rounding to a common grid erases, because others are much larger.

## What it finds
Where weights or features are rounded (by `round`, or torch's fake quantisation), whole channels,
rows or outputs whose values are mostly lost, while others keep theirs; and what the outputs lose by
that, with these channels left unrounded.

## Why it costs AP
One step fits the largest values. Scores between 0 and 1 beside boxes of 640 pixels share a step of
2.5, and each score becomes 0; depthwise filters that folding has made small become 0, and their
channels are lost.

## Usual causes
- One scale for all filters of a depthwise convolution, where each wants its own.
- Boxes in pixels and scores joined before they are quantised, or quantised with one scale.

## When it is not a fault
Channels that were one number before; few bits for all alike. Channels that vanish and change no
output by a twentieth are told as `info`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Run, Trace, replay
from pocketdet.doctor.trace.between import from_inputs
from pocketdet.doctor.trace.replay import last_reads

ROUNDING = ("round", "round_", "quantize_per_tensor")
FAKING = "fake_quantize"
LOST, KEPT = 0.7, 0.3  # of a slice's spread that rounding adds to it; two bits add .35
LEAST_SHARE = 0.2  # of the slices along an axis; a few small channels vanish in any eight bits
MOST_SLICES = 4096  # along an axis: more are places or rows
SEEN, DECISIVE = 0.05, 0.3  # of some channel or row of an output


@dataclass(frozen=True, kw_only=True)
class _Erased:
    """Slices along an axis of what an operator rounds; `before`: it, `slices`: which of them."""

    op: Op
    axis: int
    before: Tensor
    slices: Tensor
    num_varied: int
    smaller: float


def find_values_rounded_away(trace: Trace) -> Iterator[Fault]:
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    roundings = {op.index for op in trace.forward_ops if _rounds(op) and op.index in to_outputs}
    if not roundings:
        return
    seen: set[str] = set()
    for erased in _all_erased(trace, roundings):
        if str(erased.op.source) not in seen:
            seen.add(str(erased.op.source))
            yield _fault(erased, _effect(trace, erased), trace)


def _rounds(op: Op) -> bool:
    is_rounding = op.name in ROUNDING or FAKING in op.name
    return is_rounding and bool(op.inputs) and op.inputs[0].is_float and op.inputs[0].numel > 1


@torch.no_grad()
def _all_erased(trace: Trace, roundings: set[int]) -> Iterator[_Erased]:
    run, unneeded = Run(trace), last_reads(trace)
    for op in trace.forward_ops:
        before = run.tensors[op.inputs[0].slot].clone() if op.index in roundings else None
        results = run.step(op)
        if before is not None and results:
            after = results[0].dequantize() if results[0].is_quantized else results[0]
            found = _erased(op, before, after)
            if found is not None:
                yield found
        for slot in unneeded.get(op.index, ()):
            run.tensors.pop(slot, None)


def _erased(op: Op, before: Tensor, after: Tensor) -> _Erased | None:
    """Give the axis along which the largest share of the slices vanishes."""
    best: tuple[float, _Erased] | None = None
    for axis in range(before.ndim):
        if not 2 <= before.shape[axis] <= MOST_SLICES or before.numel() == before.shape[axis]:
            continue
        rows = [t.double().transpose(0, axis).flatten(1) for t in (before, after)]
        spreads = rows[0].std(1)
        varied = rows[0].amax(1) > rows[0].amin(1)
        added = (rows[1] - rows[0]).pow(2).mean(1).sqrt()
        erased, kept = varied & (added > LOST * spreads), varied & (added < KEPT * spreads)
        share = float(erased.sum()) / max(1, int(varied.sum()))
        if share < LEAST_SHARE or not bool(kept.any()):
            continue
        found = _Erased(
            op=op,
            axis=axis,
            before=before,
            slices=erased,
            num_varied=int(varied.sum()),
            smaller=float(spreads[kept].max() / spreads[erased].median()),
        )
        if best is None or share > best[0]:
            best = share, found
    return best[1] if best else None


def _effect(trace: Trace, erased: _Erased) -> float:
    """Leave the slices unrounded; give the largest change of an output's channel or row."""
    shape = [1] * erased.before.ndim
    shape[erased.axis] = -1
    which = erased.slices.reshape(shape)

    def restored(rounded: Tensor) -> Tensor:
        if rounded.is_quantized:
            return rounded
        return torch.where(which, erased.before, rounded)

    was = replay(trace, Run(trace))
    now = replay(trace, Run(trace, changes={erased.op.index: restored}))
    worst = 0.0
    for path, tensor in was.items():
        if tensor.is_floating_point() and tensor.ndim and path in now:
            worst = max(worst, *(_change(tensor, now[path], axis) for axis in range(tensor.ndim)))
    return worst


def _change(was: Tensor, now: Tensor, axis: int) -> float:
    rows = [t.double().transpose(0, axis).flatten(1) for t in (was, now)]
    sizes = torch.maximum(*(row.pow(2).mean(1).sqrt() for row in rows))
    changes = (rows[0] - rows[1]).pow(2).mean(1).sqrt()
    return float((changes / sizes.clamp_min(1e-12)).quantile(1 - LEAST_SHARE))


def _fault(erased: _Erased, effect: float, trace: Trace) -> Fault:
    op = erased.op
    count, shape = int(erased.slices.sum()), "×".join(map(str, erased.before.shape))
    what = "weights" if op.index not in from_inputs(trace) else "features"
    severity = Severity.INFO
    if effect > SEEN:
        severity = Severity.ERROR if effect > DECISIVE else Severity.WARNING
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{op.name}` loses what {count} of the {erased.num_varied} slices along axis "
        f"{erased.axis} of these {shape} {what} say: the largest others vary {erased.smaller:,.0f} "
        "times as much, and the step fits those. Left unrounded, they change rows of an output by "
        f"{effect:.0%}.",
        measured={"erased": count, "axis": erased.axis, "effect": effect},
        severity=severity,
        at=op.index,
    )


CHECK = Check(
    id="rounded-away",
    summary="values that rounding erases beside much larger ones",
    stage=Stage.AXES,
    severity=Severity.ERROR,
    remedy="Give each channel a scale of its own, and boxes and scores each theirs: quantise them "
    "before they are joined, or divide boxes by the image's size.",
    find=find_values_rounded_away,
)
