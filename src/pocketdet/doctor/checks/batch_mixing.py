"""Samples of a batch that change each other's results in evaluation mode.

## What it finds
Outputs for one image that change when only other images of the batch change, and the operator in
which the samples first meet.

## Why it costs AP
What is said of an image depends on its neighbours: on other images in training than in
evaluation, on the batch size, on the order. A norm over the whole batch shrinks every feature as
the batch grows. The loss still falls.

## Usual causes
- `F.normalize` or `norm()` without an axis, or over axis 0; `softmax(dim=0)`.
- `x.view(...)` that folds the batch into another axis, and the wrong one out of it.
- Modules in a plain Python list: `.eval()` does not reach them, and their BatchNorm goes on using
  the batch's statistics.
- `mean()` or `max()` over everything where one per sample was meant.

## When it is not a fault
Layers that compare samples on purpose (minibatch standard deviation, memory banks, cross-image
attention, mixture-of-experts with capacity): allow the check, with that reason. BatchNorm in
training mode is never looked at.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.mixing import Mixing


def find_batch_mixing(mixing: Mixing) -> Iterator[Fault]:
    if not mixing.mixed_outputs:
        return
    origin = mixing.origin
    share = max(mixing.mixed_outputs.values())
    through = (
        f" They first meet in `{origin.name}` of a "
        f"{'×'.join(map(str, origin.inputs[0].shape))} map."
        if origin and origin.inputs
        else " The pass takes another path for other data, so the place could not be followed."
    )
    yield Fault(
        where=(origin.where or "") if origin else "",
        source=origin.source if origin else None,
        evidence=f"In evaluation mode {share:.0%} of the outputs for one sample change, by up to "
        f"{mixing.effect:.2g} of their mean size, when only other samples change.{through}",
        measured={"share": share, "effect": mixing.effect},
        severity=Severity.INFO if origin and "dynamic" in origin.name else None,  # int8 by design
        at=origin.index if origin else 0,
    )


CHECK = Check(
    id="batch-mixing",
    summary="samples that change each other's results in evaluation mode",
    stage=Stage.INDEPENDENCE,
    severity=Severity.ERROR,
    remedy="Name the axis that is meant (for (b, c, h, w): `dim=1` for channels, `dim=(2, 3)` for "
    "places), and keep axis 0 out of every reshape and reduction.",
    find=find_batch_mixing,
)
