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
attention, mixture-of-experts with capacity): allow the check, with that reason. One range for the
rounding of all samples, as eight-bit runtimes take it, is told as `info`. BatchNorm in training
mode is never looked at.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.mixing import Mixing
from pocketdet.doctor.trace import Op, Value
from pocketdet.doctor.trace.between import follow

RANGES = frozenset({"min", "max", "amin", "amax", "aminmax"})
SCALINGS = frozenset({"sub", "div", "mul", "div_", "sub_", "mul_"})
SCALARS = SCALINGS | {"detach", "abs", "clamp_min", "clamp", "view", "expand", "add", "neg"}

MOST_STEPS = 8  # from a range to the step of a grid


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
        severity=Severity.INFO if origin and _is_dynamic_range(origin) else None,
        at=origin.index if origin else 0,
    )


def _is_dynamic_range(origin: Op) -> bool:
    """Say whether samples share the range that they are rounded in, as in eight bits by design."""
    if "dynamic" in origin.name:
        return True
    near = [origin, *(op for value in origin.outputs for op in follow(value, SCALARS))]
    near += [op for one in near for op in follow(one.outputs[0], ()) if one.name in SCALINGS]
    is_rounded = any("round" in op.name or "quantize" in op.name for op in near)
    return is_rounded and (_is_range(origin) or any(map(_is_of_a_range, origin.inputs)))


def _is_of_a_range(value: Value) -> bool:
    """Say whether one number was computed from the least or largest of all values."""
    for _ in range(MOST_STEPS):
        op = value.producer
        if op is None or value.numel != 1 or _is_range(op):
            return op is not None and value.numel == 1
        value = next((v for v in op.inputs if v.producer is not None), op.inputs[0])
    return False


def _is_range(op: Op) -> bool:
    return op.name in RANGES and op.outputs[0].numel == 1


CHECK = Check(
    id="batch-mixing",
    summary="samples that change each other's results in evaluation mode",
    stage=Stage.INDEPENDENCE,
    severity=Severity.ERROR,
    remedy="Name the axis that is meant (for (b, c, h, w): `dim=1` for channels, `dim=(2, 3)` for "
    "places), and keep axis 0 out of every reshape and reduction.",
    find=find_batch_mixing,
)
