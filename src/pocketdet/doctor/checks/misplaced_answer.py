"""Outputs that are to say where an object is, and look at another place of the image.

## What it finds
An object is moved over the image, in up to three sizes, and `encode` and `perfect` say which values
of the outputs stand for it. For each of these values the middle of its squared input gradient,
where the network looks, is compared with the object. Where a deep path sees the whole image, noise
is put into one patch of the image at a time instead, and what the values answer to beside their
peers must go with the object. No row boxes are needed for either.

## Why it costs AP
The targets are right among themselves, and so are the boxes that `decode` makes of them: ground
truth comes back perfectly. But the value that is to speak of an object hardly sees it. The loss
falls, as the network learns the mean, and AP is a fraction of what it should be.

## Usual causes
- `view` or `reshape` in place of a `permute`, in a head or in any block before it.
- Levels that are joined in another order than their priors; a stride that is not the map's.
- Priors or cells made with x and y, or rows and columns, exchanged.
- Tokens turned back to a map with height and width exchanged.

## When it is not a fault
Outputs that are no places, such as those of queries, look everywhere and are left out. So are
small offsets: an object may be spoken of by any cell that it covers, and levels of a pyramid shift.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.following import following, pooled, scaled
from pocketdet.doctor.layout import computing_op, layout_op, moved_from
from pocketdet.doctor.look import Look
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.answers import Answer, channel_axis
from pocketdet.doctor.observations.answers_followed import AnswersFollowed
from pocketdet.doctor.observations.cells import Cells
from pocketdet.doctor.observations.patches import Patches
from pocketdet.doctor.observations.places import Places
from pocketdet.doctor.observations.row_places import LOCAL
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.stage_lines import line_of_places
from pocketdet.doctor.trace import Op, Trace

FAR, SOME = 0.4, 0.3  # of the local values; healthy heads have few
HALF = 0.5  # of the object's longer side: any cell on the object may speak of it
NOISE = 1.0  # spreads, by which a single value's estimate errs
NEARER = 0.5  # times the distance from the objects: then a value looks at its own cell
STAYS = 0.05  # of the image's side: cells that hardly move tell nothing
CUT_OFF = 0.8  # spreads: how far the border of the image moves the middle of what is seen
FAINT = 1e-2  # of the output's mean power: saturated values see rounding
MOVES = 0.6  # of the objects' spread over the image, by which what is looked at must move
LEAST_VALUES, LEAST_OBJECTS = 24, 8


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    """Values of one output that stand for objects: (n, 2) middles in pixels, (n,) the rest."""

    path: str
    index: Tensor
    looks_at: Tensor
    object_at: Tensor
    is_far: Tensor
    number: Tensor


def find_misplaced_answers(  # noqa: PLR0913 - two ways to look, and what explains each
    answers: tuple[Answer, ...],
    places: Places,
    trace: Trace,
    answers_followed: tuple[AnswersFollowed, ...] = (),
    patches: Patches | None = None,
    cells: dict[str, Cells] | None = None,
    pipeline: DetectionPipeline | None = None,
) -> Iterator[Fault]:
    judged = [f for f in answers_followed if f.following.is_reliable]
    num_judged = len(judged)
    for path, look in places.outputs.items():
        by_size = [
            _seen(path, look, [a for a in answers if a.size == size], places)
            for size in sorted({a.size for a in answers})
        ]
        by_middle = [seen for seen in by_size if seen is not None]
        num_judged += len(by_middle)
        worst = max(by_middle, key=_share, default=None)
        astray = _astray([f for f in judged if f.path == path])
        here = (cells or {}).get(path)
        if worst is not None and _share(worst) >= SOME:
            fault = _fault(worst, trace, look, places)
            is_consistent = here is not None and _looks_at_its_cells(worst, here, places)
            yield _of_the_targets(fault, pipeline) if is_consistent else fault
        elif astray is not None:
            fault = _astray_fault(astray, trace, look)
            is_consistent = here is not None and _follows_its_cells(astray, here, patches)
            yield _of_the_targets(fault, pipeline) if is_consistent else fault
    if not num_judged:
        raise NotObservable("no output looks at some place for each object")


def _looks_at_its_cells(seen: _Seen, cells: Cells, places: Places) -> bool:
    """Say whether the rows lie as maps do, and each value looks at the cell that it comes from."""
    size = torch.tensor([places.width, places.height], dtype=torch.float64)
    at = cells.middles[seen.index] * size
    to_cells = (seen.looks_at - at).norm(dim=1).median()
    to_objects = (seen.looks_at - seen.object_at).norm(dim=1).median()
    return cells.is_raster and float(to_cells) < NEARER * float(to_objects)


def _follows_its_cells(astray: AnswersFollowed, cells: Cells, patches: Patches | None) -> bool:
    if patches is None or not cells.is_raster:
        return False
    size = torch.tensor([patches.width, patches.height], dtype=torch.float64)
    at = torch.stack([cells.middles[group].mean(0) for group in astray.values]) * size
    if float((at.std(0) / size).amin()) < STAYS:
        return False
    found = following(pooled(scaled(patches.answers[astray.path]), astray.values), at, patches)
    return found is not None and found.is_reliable and not found.is_astray


def _of_the_targets(fault: Fault, pipeline: DetectionPipeline | None) -> Fault:
    """Blame `encode`: the network's own rows lie as its maps do, line by line."""
    return replace(
        fault,
        where="",
        source=None if pipeline is None else line_of_places(pipeline),
        evidence=f"{fault.evidence} The rows go through the maps line by line, and look at their "
        "own cells: it is `encode` that takes them for others.",
        remedy="Compare the places that `encode` gives the rows, drawn over an image, with the "
        "maps': (row, column) or (x, y), strides in the order of the levels.",
    )


def _astray(judged: list[AnswersFollowed]) -> AnswersFollowed | None:
    """Give the worst of those that do not follow, whole outputs before single channels."""
    astray = [f for f in judged if f.following.is_astray]
    whole = [f for f in astray if f.channel is None]
    return min(whole or astray, key=lambda f: f.following.worst, default=None)


def _share(seen: _Seen) -> float:
    return float(seen.is_far.double().mean())


def _seen(path: str, look: Look, answers: list[Answer], places: Places) -> _Seen | None:
    one_sample = look.summed([0]) if len(look.shape) > 1 else look
    count = one_sample.variance.numel()
    flat = one_sample.reshaped(count)
    is_clear = flat.power.amin(0) > FAINT * _usual_power(one_sample, places)
    is_local = (
        is_clear & (flat.spread < LOCAL * (places.height * places.width) ** 0.5) & flat.is_seeing
    )
    chosen = [(n, a, a.values[path]) for n, a in enumerate(answers) if path in a.values]
    kept = [(n, a, v[is_local[v].cpu()]) for n, a, v in chosen]
    total = sum(len(values) for _, _, values in chosen)
    index = torch.cat([v for _, _, v in kept]) if kept else torch.zeros(0, dtype=torch.long)
    if len(index) < max(LEAST_VALUES, total / 4):
        return None
    if sum(len(v) > 0 for _, _, v in kept) < LEAST_OBJECTS:
        return None
    boxes = torch.cat([a.box_xyxy.expand(len(v), 4) for _, a, v in kept])
    object_at = (boxes[:, :2] + boxes[:, 2:]) / 2
    looks_at = flat.centres[index].double().cpu()
    if float(looks_at.std(0).mean()) < MOVES * float(object_at.std(0).mean()):
        return None  # a max over the whole map, say, is seen by all cells alike
    spread = flat.spread[index].double().cpu()[:, None]
    size = torch.tensor([places.width, places.height], dtype=object_at.dtype)
    room = torch.minimum(object_at, size - object_at)
    cut = torch.where(room < 1.5 * spread, CUT_OFF, 0.0) * spread
    reach = HALF * (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True)
    away = flat.halves[:, index].double().cpu() - object_at
    agrees = away[0].sign() == away[1].sign()
    is_far = agrees & (away.abs().amin(0) > reach + NOISE * spread + cut)
    return _Seen(
        path=path,
        index=index,
        looks_at=looks_at,
        object_at=object_at,
        is_far=is_far.any(1),
        number=torch.cat([torch.full((len(v),), n) for n, _, v in kept]),
    )


def _usual_power(look: Look, places: Places) -> Tensor:
    """Give, for each value, the mean power of its channel: pixels and scores differ by far."""
    power = look.power.mean(0)
    axis = channel_axis(tuple(power.shape), (places.height, places.width))
    others = [a for a in range(power.ndim) if a != axis]
    return power.mean(others, keepdim=True).expand_as(power).flatten()


def _fault(seen: _Seen, trace: Trace, look: Look, places: Places) -> Fault:
    share, far = _share(seen), seen.is_far.nonzero()[:, 0]
    away = (seen.looks_at - seen.object_at).norm(dim=1)
    worst = int(far[away[far].argsort()[len(far) // 2]])
    op, maker = _usual_origin(trace, seen.path, seen.index[far], look)
    name = f"output{seen.path or ''}"
    return Fault(
        where=maker.where or "",
        source=op.source or maker.source,
        evidence=f"{share:.0%} of the values of {name} that stand for an object, by `encode` and "
        f"`perfect`, look elsewhere: for one at {_point(seen.object_at[worst])} px they look at "
        f"{_point(seen.looks_at[worst])}, {float(away[worst]):.0f} px away (the median)."
        f"{_explained(seen, far, places)}",
        measured={"share": share, "values": len(seen.index), "median_px": float(away.median())},
        severity=Severity.ERROR if share >= FAR else Severity.WARNING,
        at=op.index,
    )


def _astray_fault(astray: AnswersFollowed, trace: Trace, look: Look) -> Fault:
    op, maker = _usual_origin(trace, astray.path, torch.cat(astray.values), look)
    by_axis = astray.following.straight.tolist()
    values = "the values" if astray.channel is None else f"channel {astray.channel} of the values"
    sides = (astray.boxes_xyxy[0, 2:] - astray.boxes_xyxy[0, :2]).tolist()
    return Fault(
        where=maker.where or "",
        source=op.source or maker.source,
        evidence=f"An object of {sides[0]:.0f}x{sides[1]:.0f} px is put at {astray.following.num} "
        f"places, and what {values} of output{astray.path} that stand for it, by `encode` and "
        f"`perfect`, look at does not go with it: {astray.following.words()}",
        measured={"x": by_axis[0], "y": by_axis[1], "objects": astray.following.num},
        at=op.index,
    )


def _usual_origin(trace: Trace, path: str, index: Tensor, look: Look) -> tuple[Op, Op]:
    """Give the operators that laid out and computed most of these values."""
    origins = Counter(_origin(trace, path, int(i), look) for i in index[:200])
    (laid_out, computed), _ = origins.most_common(1)[0]
    return trace.ops[laid_out], trace.ops[computed]


def _origin(trace: Trace, path: str, index: int, look: Look) -> tuple[int, int]:
    """Give the operators that laid out and computed a value."""
    value = trace.outputs[path]
    row = index
    producer = value.producer
    if producer is not None:
        joined = next((o for o in moved_from(value) if o.name == "cat"), None)
        shape = look.shape[1:]
        axis = (int(joined.argument("dim")) - 1) % len(shape) if joined else 0
        row = int(torch.unravel_index(torch.tensor(index), shape)[axis])
    steps = moved_from(value, row=row)
    layout, maker = layout_op(steps), computing_op(steps)
    assert maker is not None
    return (layout or maker).index, maker.index


def _explained(seen: _Seen, far: Tensor, places: Places) -> str:
    at, looks = seen.object_at[far], seen.looks_at[far]
    size = torch.tensor([places.width, places.height], dtype=at.dtype)
    guesses = {
        " They look where x and y are exchanged.": at.flip(1) * size / size.flip(0),
        " They look at the mirror image of it.": torch.stack([size[0] - at[:, 0], at[:, 1]], 1),
        " They look at the place upside down.": torch.stack([at[:, 0], size[1] - at[:, 1]], 1),
    }
    now = float((looks - at).norm(dim=1).median())
    for words, guess in guesses.items():
        if float((looks - guess).norm(dim=1).median()) < 0.35 * now:
            return words
    return ""


def _point(point: Tensor) -> str:
    return f"({float(point[0]):.0f}, {float(point[1]):.0f})"


CHECK = Check(
    id="misplaced-answer",
    summary="outputs that stand for an object and look at another place",
    stage=Stage.REGISTRATION,
    severity=Severity.ERROR,
    remedy="Follow the values from the last map to the output and compare their order with that of "
    "`encode`: permute before a reshape, join levels in the order of their cells, and take strides "
    "from the maps' own shapes.",
    find=find_misplaced_answers,
    explained_by=("scrambled-row", "misplaced-row", "shifted-merge"),
)
