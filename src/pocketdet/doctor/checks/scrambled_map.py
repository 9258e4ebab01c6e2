"""A map whose cells are in no order of the image, merged with one whose cells are.

## What it finds
At every sum, product or concatenation of maps of one size, where each operand's cells look is
measured by the middle of their squared input gradient. A map that is cut into windows or blocks and
put together in another order looks, from cell to cell, here and there: no straight rule leads from
where one operand's cells look to where the other's do.

And a `view` that makes channels places in one step: (b, 4c, h, w) to (b, c, 2h, 2w).

## Why it costs AP
What was seen in one place is added to what was seen in many others. Every shape is right, and what
the branch says of a place is of no use there.

## Usual causes
- Windows put back by one `view` without the `permute` that undoes the cutting.
- A hand-written depth-to-space (pixel shuffle) with its axes in another order.
- Tokens of several levels or strides folded into one map.

## When it is not a fault
Maps that are shifted, mirrored or turned are told by `shifted-merge`. What looks at the whole
image, at a window or at a learnt offset is left alone, and so is what has its middles drawn to the
image's middle, such as pyramid pooling.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.layout import FOLDING, are_copies, maps_of
from pocketdet.doctor.look import Look
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.places import MapLooks, Merge, Places
from pocketdet.doctor.trace import Op, Trace, Value

MAP_AXES = 4  # (b, c, h, w)
LOCAL = 0.2  # of the image's side; what looks everywhere spreads by .29
BORDER = 1.0  # spreads from the border
LEAST_CELLS = 36
SPREADS, CELLS = 1.5, 2.0  # from the rule: windows of four cells stay within them
LEAST_SHARE = 0.4  # of the cells that are away from the rule
RUNS_OVER = 0.3  # of the image, along both axes, by the map that is in order
ROUNDS = 3  # of fitting the rule to the half that it fits best


def find_scrambled_maps(places: Places, trace: Trace) -> Iterator[Fault]:
    refolded = list(_refolded(trace))
    yield from refolded
    if refolded:
        return  # what is merged with them follows from it
    seen: set[tuple[str | None, str]] = set()
    num_seen = 0
    for merge in places.merges:
        for share, pixels in _compared(merge, places):
            num_seen += 1
            place = merge.op.where, str(merge.op.source)
            if share >= LEAST_SHARE and place not in seen:
                seen.add(place)
                yield _fault(merge.op, share, pixels)
    if places.merges and not num_seen:
        raise NotObservable(
            "every cell of the merged maps sees beyond the image; give a larger one"
        )


def _refolded(trace: Trace) -> Iterator[Fault]:
    """Find maps of channels that one `view` makes maps of another size, which are read as maps."""
    maps = maps_of(trace)
    to_outputs = trace.leads_to(list(trace.outputs.values()))
    seen: set[str] = set()
    for op in trace.named(*FOLDING):
        before, after = op.inputs[0], op.outputs[0]
        if op.index not in to_outputs or id(before) not in maps or len(after.shape) != MAP_AXES:
            continue
        (_, channels, *old), (_, made, *new) = before.shape, after.shape
        is_alike = min(new) > 1 and old[0] * new[1] == old[1] * new[0]
        is_read = any(_reads_as_map(reader, after, maps) for reader in after.consumers)
        if old == new or channels == made or not is_alike or not is_read:
            continue
        if str(op.source) not in seen:
            seen.add(str(op.source))
            yield _refolded_fault(op)


def _reads_as_map(op: Op, value: Value, maps: set[int]) -> bool:
    if op.name == "convolution":
        return op.inputs[0] is value
    others = [v for v in op.inputs if v is not value]
    return op.name in ("add", "add_", "cat", "mul") and any(id(v) in maps for v in others)


def _refolded_fault(op: Op) -> Fault:
    before, after = ("×".join(map(str, v.shape)) for v in (op.inputs[0], op.outputs[0]))
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{op.name}` makes a {after} map of the {before} one at once: its lines are "
        "those of one channel after the other, and what follows reads them as places.",
        at=op.index,
    )


def _compared(merge: Merge, places: Places) -> Iterator[tuple[float, float]]:
    for (first, one), (second, other) in pairwise(merge.operands):
        if are_copies(first, second):
            continue
        away = [found for pair in _readings(one, other) if (found := _away(*pair, places))]
        if away:
            yield max(away)


def _readings(one: MapLooks, other: MapLooks) -> Iterator[tuple[Look, Look]]:
    """Read both as (b, c, h, w), and both as (b, h, w, c)."""
    for first, second in (
        (one.channels_first, other.channels_first),
        (one.channels_last, other.channels_last),
    ):
        if first is not None and second is not None and first.shape == second.shape:
            yield first, second


def _away(one: Look, other: Look, places: Places) -> tuple[float, float] | None:
    """Give the share of cells away from the rule, and by how many pixels; None: cannot be told."""
    seen = one.is_seeing & other.is_seeing
    if int(seen.sum()) < LEAST_CELLS:
        return None
    spreads = [float(look.spread[seen].median()) for look in (one, other)]
    if max(spreads) > LOCAL * max(places.height, places.width):
        return None
    spread = (spreads[0] ** 2 + spreads[1] ** 2) ** 0.5
    size = torch.tensor([places.width, places.height], dtype=torch.float64)
    inside = seen
    if not any(_is_in_order(look, seen, size) for look in (one, other)):
        return None
    for look in (one, other):
        centres = look.centres.double()
        room = torch.minimum(centres, size - centres).amin(-1)
        inside = inside & (room > BORDER * max(spreads))
    if int(inside.sum()) < LEAST_CELLS:
        return None
    cell = (places.height * places.width / seen.numel()) ** 0.5
    halves = [
        _residuals(one.halves[half][inside].double(), other.halves[half][inside].double())
        for half in (0, 1)
    ]
    # Of the two maps one may be coarser: by either's rule the other must be in disorder.
    residuals = torch.minimum(*halves)
    is_far = residuals > SPREADS * spread + CELLS * cell
    pixels = float(residuals[is_far].median()) if bool(is_far.any()) else 0.0
    return float(is_far.double().mean()), pixels


def _is_in_order(look: Look, seen: Tensor, size: Tensor) -> bool:
    """Say whether a map's rows and columns run over the image: it is read the right way."""
    cells = seen.nonzero().flip(1).double()
    centres = look.centres.double()[seen]
    design = torch.cat([cells, torch.ones_like(cells[:, :1])], 1)
    rule = torch.linalg.lstsq(design, centres).solution
    sides = torch.tensor(seen.shape[::-1], dtype=rule.dtype)
    runs = (rule[:2].norm(dim=1) * sides / size).amin()
    beside = (centres - design @ rule).norm(dim=1)
    step = float(rule[:2].norm(dim=1).mean())
    is_even = beside < SPREADS * float(look.spread[seen].median()) + CELLS * step
    return float(runs) > RUNS_OVER and float(is_even.double().mean()) > 1 - LEAST_SHARE


def _residuals(one: Tensor, other: Tensor) -> Tensor:
    """Give the distances from the straight rule that leads from one's places to the other's."""
    return torch.minimum(_from_rule(one, other), _from_rule(other, one))


def _from_rule(given: Tensor, said: Tensor) -> Tensor:
    design = torch.cat([given, torch.ones_like(given[:, :1])], 1)
    chosen = torch.ones(len(given), dtype=torch.bool)
    away = torch.zeros(len(given), dtype=given.dtype)
    for _ in range(ROUNDS):
        rule = torch.linalg.lstsq(design[chosen], said[chosen]).solution
        away = (said - design @ rule).norm(dim=1)
        chosen = away <= away.median()
    return away


def _fault(op: Op, share: float, pixels: float) -> Fault:
    shapes = " and ".join("×".join(map(str, value.shape)) for value in op.inputs[:2])
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"The operands of `{op.name}`, {shapes}, look at different places, in no order: "
        f"{share:.0%} of the cells of the one look elsewhere than any straight rule from the "
        f"other's would have it, by {pixels:.0f} px in the median.",
        measured={"share": share, "px": pixels},
        at=op.index,
    )


CHECK = Check(
    id="scrambled-map",
    summary="a map whose cells are in no order of the image",
    stage=Stage.REGISTRATION,
    severity=Severity.ERROR,
    remedy="Undo each cut by the reverse `permute` before the last reshape, and use "
    "`F.pixel_shuffle` for depth to space; check both with an image of coordinates.",
    find=find_scrambled_maps,
    explained_by=("shifted-merge", "scrambled-row", "scrambled-head"),
)
