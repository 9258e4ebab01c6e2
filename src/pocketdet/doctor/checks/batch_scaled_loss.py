"""A loss that grows with the square of the batch, or shrinks as it grows.

## What it finds
The training loss is called with batches of 4 and 16 images and the same kind of outputs for each.
A mean stays as it is, a sum grows with the number of images; it reports what grows much faster or
falls.

## Why it costs AP
The effective learning rate goes with it: what trained well with 4 images diverges with 16, or
hardly moves, and a last batch that is smaller weighs otherwise than the rest.

## Usual causes
- A mean that is multiplied by a count of the batch, or a sum over all pairs of images.
- A division by the number of images after `reduction="mean"`, or by the positives of the batch in
  each image's own loss.
- Losses of parts of a batch that are added and never divided, or divided twice.

## When it is not a fault
A sum over the batch with a learning rate made for it is told as `info`. Contrastive losses that sum
over pairs on purpose: allow the check, with that reason.
"""

from collections.abc import Iterator
import math
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import map_tensors
from pocketdet.doctor.observations.answered_loss import AnsweredLoss

SMALL, LARGE = 4, 16  # images: enough that targets of single images do not matter
FASTER, FALLING = 1.5, -0.5  # powers of the batch
LIKE_A_SUM = 0.6


def find_batch_scaled_losses(answered_loss: AnsweredLoss) -> Iterator[Fault]:
    if answered_loss.batch_size < 2:
        raise NotObservable("the network takes one sample at a time")
    losses: list[float] = []
    for size in (SMALL, LARGE):
        some = answered_loss.of_batch(size)
        losses.append(float(some(some.own)))
        if float(some(_with_another_last(some.own, size))) == losses[-1]:
            raise NotObservable("the loss does not look at all images of a larger batch")
    few, many = losses
    if not (few > 0 and many > 0 and math.isfinite(few) and math.isfinite(many)):
        return
    power = math.log(many / few) / math.log(LARGE / SMALL)
    if FALLING < power < LIKE_A_SUM:
        return
    how = (
        "with the square of the batch"
        if power >= FASTER
        else ("as a sum over the batch does" if power > 0 else "the wrong way with the batch")
    )
    yield Fault(
        where="",
        evidence=f"With outputs of the same kind for each image the loss is {few:.3g} for {SMALL} "
        f"images and {many:.3g} for {LARGE}: it goes {how}.",
        measured={"small": few, "large": many, "power": power},
        severity=Severity.WARNING if power >= FASTER or power < 0 else Severity.INFO,
    )


def _with_another_last(outputs: Any, size: int) -> Any:
    """Give the outputs with others for the last image."""

    def change(tensor: Tensor) -> Tensor:
        if not tensor.ndim or len(tensor) != size or not tensor.is_floating_point():
            return tensor
        return torch.cat([tensor[:-1], tensor[-1:] * 1.5 + 0.5])

    return map_tensors(outputs, change)


CHECK = Check(
    id="batch-scaled-loss",
    summary="a loss that depends on the size of the batch",
    stage=Stage.LOSS,
    severity=Severity.WARNING,
    remedy="Divide each sum once, by the positives or images of the whole batch.",
    find=find_batch_scaled_losses,
)
