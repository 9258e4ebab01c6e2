"""Two outputs whose rows with the same number look at different places.

## What it finds
Outputs with the same rows, such as boxes (b, rows, 4) and scores (b, rows, classes), or maps of
the same size: for each row the middle of the squared input gradient is compared between them.

## Why it costs AP
The score in row 100 is about another place than the box in row 100. Each head learns what its
targets say; put together they are detections of one object with another one's score.

## Usual causes
- `permute` before `view` in one head and not in the other.
- One head in the order anchor, row, column and the other in row, column, anchor.
- Levels joined in another order, or height and width exchanged, in one head.

## When it is not a fault
Outputs that only happen to have the same size, with rows of their own: allow the check, with that
reason. Rows that look at the whole image, such as DETR's queries, are left out, and so are two
outputs of which one has the other's rows in pairs of image and text.
"""

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.layout import computing_op, layout_op, moved_from
from pocketdet.doctor.look import Look
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.places import Places
from pocketdet.doctor.observations.row_places import is_local
from pocketdet.doctor.trace import Trace

APART = 1.5  # spreads of both together; one row's estimate errs by about half of one
LEAST_PIXELS = 2.0
LEAST_SHARE = 0.25  # of the rows that are places
LEAST_ROWS = 16
MOST_PAIRS = 60


def find_disagreeing_outputs(trace: Trace, places: Places) -> Iterator[Fault]:
    pairs = list(_pairs(places))[:MOST_PAIRS]
    if not pairs:
        raise NotObservable("no two outputs have the same rows")
    for first, second, one, other in pairs:
        local = is_local(one, places.height, places.width) & is_local(
            other, places.height, places.width
        )
        if int(local.sum()) < LEAST_ROWS:
            continue
        apart = _apart(one, other) & local
        share = float(apart.sum()) / float(local.sum())
        if share < LEAST_SHARE:
            continue
        if _order(one) > _order(other):
            first, second, one, other = second, first, other, one
        yield _fault(trace, (first, second), (one, other), apart, share)


def _pairs(places: Places) -> Iterator[tuple[str, str, Look, Look]]:
    for (first, one), (second, other) in combinations(places.outputs.items(), 2):
        axis = _differing_axis(one.shape, other.shape)
        if axis is not None:
            rows = [look.summed([0, axis]) for look in (one, other)]
            yield first, second, rows[0].reshaped(-1), rows[1].reshaped(-1)


def _differing_axis(one: tuple[int, ...], other: tuple[int, ...]) -> int | None:
    """Give the axis of features: rows are told by all axes but it and the batch."""
    if len(one) != len(other) or len(one) not in (3, 4, 5):
        return None
    differing = [axis for axis in range(len(one)) if one[axis] != other[axis]]
    if not differing and len(one) == 3:
        return 2
    if len(differing) != 1 or differing[0] not in (1, len(one) - 1):
        return None
    return differing[0]


def _order(look: Look) -> float:
    """Give how well rows run down the image, as a map's do; the worse of two is the suspect."""
    y = look.centres[:, 1].double()
    index = torch.arange(len(y), dtype=y.dtype, device=y.device)
    return float(torch.corrcoef(torch.stack([index, y]))[0, 1])


def _apart(one: Look, other: Look) -> Tensor:
    """Say which rows look at different places, by both halves of the noise."""
    away = one.halves - other.halves
    allowed = APART * (one.spread**2 + other.spread**2).sqrt()[:, None] + LEAST_PIXELS
    agrees = (away[0].sign() == away[1].sign()) & (away.abs().amin(0) > allowed)
    return agrees.any(dim=1)


def _fault(
    trace: Trace, paths: tuple[str, str], looks: tuple[Look, Look], apart: Tensor, share: float
) -> Fault:
    rows = apart.nonzero()[:, 0]
    row = int(rows[len(rows) // 2])
    (x1, y1), (x2, y2) = (look.centres[row].tolist() for look in looks)
    ways = [moved_from(trace.outputs[path], row=row) for path in paths]
    op, made_by = layout_op(ways[0]), computing_op(ways[0])
    other = layout_op(ways[1])
    second = f" ({other.source})" if other and other.source else ""
    return Fault(
        where=(made_by.where or "") if made_by else "",
        source=op.source if op else None,
        evidence=f"{share:.0%} of the rows of output{paths[0]} look elsewhere than the same rows "
        f"of output{paths[1]}{second}: row {row:,} at ({x1:.0f}, {y1:.0f}) px and at ({x2:.0f}, "
        f"{y2:.0f}) px.",
        measured={"share": share, "row": row, "outputs": list(paths)},
        at=op.index if op else 0,
    )


CHECK = Check(
    id="disagreeing-outputs",
    summary="rows that look elsewhere in one output than in another",
    stage=Stage.REGISTRATION,
    severity=Severity.ERROR,
    remedy="Lay out the rows of all heads by the same code, such as "
    "`permute(0, 2, 3, 1).reshape(b, -1, k)`, and join their levels in the same order.",
    find=find_disagreeing_outputs,
    explained_by=("scrambled-row", "misplaced-row"),
)
