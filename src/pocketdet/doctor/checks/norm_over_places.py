"""A normalisation by a length that grows with the image.

## What it finds
Features divided by a length or a sum of themselves that is taken over places or tokens: on a larger
image there are more of them, and the features that the next layer is given are smaller. Measured on
a larger image, with the same weights.

## Why it costs AP
Each feature of a place is weighed against the other places of the image, and not against the other
features of its own place; and a network that was trained at one size sees features of another size
when it is used at another one, or in a crop.

## Usual causes
- `F.normalize(tokens)` of (batch, tokens, features): its axis is 1 unless told otherwise.
- `x / x.norm()` over a whole sample, channels and places, or a flattened map.
- A sum over places where a mean is meant.

## When it is not a fault
Instance norm, group norm, response norm and whatever divides by a mean, whose result keeps its
size; attention between channels, whose product sums up again what was divided; shares that are
summed up; results that no layer follows. All of these are left alone.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.lengths import Length

SHRINKS = 0.8  # times the size on an image of 1.5 or 2 times the side: lengths give .67 or .5


def find_norms_over_places(lengths: tuple[Length, ...]) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for length in lengths:
        op = length.op
        if length.shrinks > SHRINKS or length.later is None or length.later > SHRINKS:
            continue
        if (op.where, str(op.source)) not in seen:
            seen.add((op.where, str(op.source)))
            yield _fault(length)


def _fault(length: Length) -> Fault:
    op = length.op
    shape = "×".join(map(str, length.reduction.inputs[0].shape))
    axes = " and ".join(map(str, length.axes))
    plural = "axes" if len(length.axes) > 1 else "axis"
    return Fault(
        where=op.where or "",
        source=length.reduction.source or op.source,
        evidence=f"`{op.name}` divides these {shape} features by a `{length.reduction.name}` of "
        f"{length.count:,} of them, and {plural} {axes} of it grows with the image: on a larger "
        f"image what comes out is {length.shrinks:.2f} times as large.",
        measured={"elements": length.count, "left": length.left, "shrinks": length.shrinks},
        at=op.index,
    )


CHECK = Check(
    id="norm-over-places",
    summary="a normalisation by a length that grows with the image",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Name the axis of the features (`dim=-1` for tokens, `dim=1` for (b, c, h, w)), or "
    "divide by a mean.",
    find=find_norms_over_places,
    explained_by=("batch-mixing", "norm-over-one", "norm-along-one-side", "squashed-gate"),
)
