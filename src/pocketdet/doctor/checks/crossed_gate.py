"""A gate of channels that is laid along the rows or columns of the map.

## What it finds
Features of a linear layer, one number each, that are multiplied with or added to a (batch,
channels, height, width) map along its height or width, where they fit by their number alone.

## Why it costs AP
What was computed for the third channel weighs the third column of all channels. The shapes are
right where a map is as wide as it has channels, and wrong for images of any other size.

## Usual causes
- `gate[:, None, None, :]`, right for (batch, height, width, channels), on a map with the channels
  second; `gate.view(b, 1, 1, c)`.

## When it is not a fault
Gates along axis 1, and gates of rows and columns that a convolution made (coordinate attention).
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.token_axes import TokenAxes

SIDES = {2: "height", 3: "width"}


def find_crossed_gates(token_axes: TokenAxes) -> Iterator[Fault]:
    seen: set[str] = set()
    for found in token_axes.crossed:
        op, source = found.op, found.source
        if str(op.source) in seen:
            continue
        seen.add(str(op.source))
        yield Fault(
            where=op.where or "",
            source=op.source,
            evidence=f"`{op.name}` lays the {found.shape[found.axis]} features that "
            f"`{source.where or 'the model'}` made along the {SIDES[found.axis]} of a "
            f"{'×'.join(map(str, found.shape))} map, whose channels are axis 1.",
            measured={"axis": found.axis},
            at=op.index,
        )


CHECK = Check(
    id="crossed-gate",
    summary="a gate of channels that is laid along the rows or columns",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Lay it along axis 1: `gate[:, :, None, None]`.",
    find=find_crossed_gates,
)
