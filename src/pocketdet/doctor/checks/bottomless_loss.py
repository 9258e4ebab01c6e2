"""A loss that sinks without end as outputs grow.

## What it finds
The outputs go down the loss's own slope, step by step, each twice as long as the last as long as
the slope keeps its sign. A loss that goes on falling, far below zero, as fast as the outputs grow,
has no bottom.

## Why it costs AP
Training follows it: outputs grow, the logged loss is better every hour, and the network says
nothing of use.

## Usual causes
- A term with the wrong sign: `loss = classes - boxes`, or a missing minus before a logarithm.
- A mean of predictions where a mean of differences was meant.

## When it is not a fault
A critic's loss that another term bounds over many images, as in a Wasserstein distance: allow the
check, with that reason. Likelihoods with a predicted spread have a bottom as long as the prediction
errs, and are clear.
"""

from collections.abc import Iterator
import math
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity, SourceLine
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import map_tensors, tensors_in, with_tensors
from pocketdet.doctor.observations.answered_loss import AnsweredLoss
from pocketdet.doctor.observations.loss_sums import loss_sums

GROWS, SHRINKS, NUM_STEPS = 2.0, 0.5, 26  # of each value's own step, while its slope keeps its sign
FIRST_STEP = 0.1
AS_FAST = 1.7  # times lower with steps twice as long: a line, or steeper
FAR_BELOW = 1e4  # times the loss at the start


def find_bottomless_losses(answered_loss: AnsweredLoss) -> Iterator[Fault]:
    losses: list[float] = []
    outputs = answered_loss.own
    for outputs in _downhill(answered_loss):
        with torch.no_grad():
            losses.append(float(answered_loss(outputs)))
        if not math.isfinite(losses[-1]):
            return
    start, before, last = losses[0], losses[-2], losses[-1]
    if not last < -FAR_BELOW * (abs(start) + 1) or last > AS_FAST * before:
        return
    yield Fault(
        where="",
        source=_lowest_term(answered_loss, outputs),
        evidence=f"The loss is {start:.3g} for the network's own outputs; where they go down its "
        f"slope it falls to {before:.2g}, {last:.2g} and on, as fast as they grow: it has no "
        "bottom.",
        measured={"start": start, "last": last},
    )


def _downhill(answered_loss: AnsweredLoss) -> Iterator[Any]:
    """Give outputs whose values step down their slopes, further each time one keeps its sign."""
    outputs = answered_loss.own
    steps: dict[str, Tensor] = {}
    signs: dict[str, Tensor] = {}
    yield outputs
    for _ in range(NUM_STEPS):
        slopes = _slopes(answered_loss, outputs)
        moved: list[Tensor] = []
        for path, tensor in tensors_in(outputs):
            if path not in slopes:
                moved.append(tensor)
                continue
            sign = slopes[path].sign()
            kept = sign * signs.get(path, sign)
            step = steps.get(path, torch.full_like(tensor, FIRST_STEP))
            steps[path] = torch.where(
                kept > 0, step * GROWS, torch.where(kept < 0, step * SHRINKS, step)
            )
            signs[path] = sign
            moved.append(tensor - sign * steps[path])
        outputs = with_tensors(outputs, moved)
        yield outputs


def _slopes(answered_loss: AnsweredLoss, outputs: Any) -> dict[str, Tensor]:
    leaves = {
        path: tensor.detach().clone().requires_grad_()
        for path, tensor in tensors_in(outputs)
        if tensor.is_floating_point()
    }
    paths = iter([path for path, _ in tensors_in(outputs)])
    loss = answered_loss(map_tensors(outputs, lambda tensor: leaves.get(next(paths), tensor)))
    if not loss.requires_grad:
        raise NotObservable("the loss has no gradient by the outputs")
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    given: list[Tensor | None] = list(found)
    return {p: g.nan_to_num(0) for p, g in zip(leaves, given, strict=True) if g is not None}


def _lowest_term(answered_loss: AnsweredLoss, outputs: Any) -> SourceLine | None:
    try:
        (one,) = loss_sums(answered_loss, [outputs])
    except NotObservable:
        return None
    lowest = min(one.shares, key=lambda share: share.adds, default=None)
    return lowest.source if lowest else None


CHECK = Check(
    id="bottomless-loss",
    summary="a loss that sinks without end",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Look at the signs: what is to be large in a good network (a likelihood, an overlap) is "
    "subtracted, what is to be small (a distance) is added.",
    find=find_bottomless_losses,
    explained_by=("unrewarded-truth",),
)
