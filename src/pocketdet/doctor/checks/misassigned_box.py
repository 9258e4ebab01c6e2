"""Boxes that `encode` assigns to rows that have nothing to do with them.

## What it finds
A box of usual size is moved over the image, alone, and `encode` is asked which rows (priors,
cells) it makes positive. Boxes that are far apart must not claim the same rows.

## Why it costs AP
The round trip of ground truth is perfect, because the deltas are right: they lead from a wrong row
to the right place. But the network must say in one corner of the image what is in the other.

## Usual causes
- (x, y, w, h) or (cx, cy, w, h) given to an IoU of corners: no prior overlaps, and the best of
  them, which every box is to get, is row 0.
- Boxes relative to the image compared with priors in pixels.
- The columns of the overlap table taken for its rows.

## When it is not a fault
Targets that are a list of boxes, as for queries, have no rows of places, and the check is not run.
Objects much smaller than all priors may share one: that is `ill-fitting-prior`'s to tell.
"""

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.data_stage import StageFailed, stage, stage_source
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.round_trip import encoded
from pocketdet.doctor.pipeline import DetectionPipeline

NUM_PLACES = 24
LEAST_PAIRS = 12
LEAST_ROWS = 16  # fewer are no places
CLAIMED = 0.5  # of a target's largest change: tails of a heat map do not count
FEW = 0.25  # of the rows: where more differ, it is no assignment
SOME, MANY = 0.2, 0.5  # of the pairs that are far apart and claim a row in common
LARGEST = 0.34  # of the image's side: larger boxes are never far apart


def find_misassigned_boxes(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> Iterator[Fault]:
    boxes, label = _moved_about(labelled)
    try:
        claims = _claims(pipeline, boxes, label)
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    far = [(a, b) for a, b in combinations(range(len(boxes)), 2) if _are_far(boxes[a], boxes[b])]
    far = [(a, b) for a, b in far if claims[a] and claims[b]]
    if len(far) < LEAST_PAIRS:
        raise NotObservable("the samples' boxes are too large to be moved far apart")
    shared = [(a, b) for a, b in far if claims[a] & claims[b]]
    share = len(shared) / len(far)
    if share >= SOME:
        a, b = shared[len(shared) // 2]
        yield Fault(
            where="",
            source=stage_source(pipeline, "encode"),
            evidence=f"`encode` gives one row to boxes in different places, each alone in its "
            f"image: {share:.0%} of {len(far)} pairs of boxes far apart claim a row in common, "
            f"such as {_box(boxes[a])} and {_box(boxes[b])} row {min(claims[a] & claims[b]):,}.",
            measured={"share": share, "pairs": len(far)},
            severity=Severity.ERROR if share >= MANY else Severity.WARNING,
        )


def _moved_about(labelled: tuple[Labelled, ...]) -> tuple[Tensor, int]:
    """Give boxes of the median size at places spread over the image, and a label."""
    one = next(one for one, _, _ in sound_boxes(labelled))
    every = [(o, b, c) for o, b, c in sound_boxes(labelled)]
    sides = torch.cat([b[:, 2:] - b[:, :2] for _, b, _ in every]).median(0).values
    room = torch.tensor([one.width, one.height], dtype=sides.dtype)
    sides = torch.minimum(sides, LARGEST * room)
    corners = torch.rand(NUM_PLACES, 2, dtype=sides.dtype) * (room - sides)
    label = int(torch.cat([c for _, _, c in every]).mode().values)
    return torch.cat([corners, corners + sides], 1), label


def _claims(pipeline: DetectionPipeline, boxes: Tensor, label: int) -> list[set[int]]:
    """Give the rows whose targets are unlike most rows', for each box alone in an image."""
    encodings = [encoded(pipeline, box[None], torch.tensor([label])) for box in boxes]
    outputs = dict(tensors_in(stage(pipeline, "perfect")(encodings[0])))
    sides = {side for output in outputs.values() for side in output.shape}
    targets = [dict(tensors_in(one)) for one in encodings]
    count = _row_count(targets[0], sides)
    return [_unlike_most(target, count) for target in targets]


def _row_count(targets: dict[str, Tensor], sides: set[int]) -> int:
    """Give the number of rows, or of a map's places, that the targets and raw outputs share."""
    counts = [
        count
        for tensor in targets.values()
        for count, axes in _counts(tensor)
        if count >= LEAST_ROWS and all(tensor.shape[axis] in sides for axis in axes)
    ]
    if not counts:
        raise NotObservable("the targets are no rows or maps as the outputs are")
    return max(counts)


def _counts(tensor: Tensor) -> list[tuple[int, tuple[int, ...]]]:
    shape = tensor.shape
    single = [(shape[axis], (axis,)) for axis in range(tensor.ndim)]
    maps = [(shape[-2] * shape[-1], (-2, -1))] if tensor.ndim in (2, 3) and shape[-1] > 4 else []
    return single + maps


def _unlike_most(target: dict[str, Tensor], count: int) -> set[int]:
    rows: set[int] = set()
    whole = [t for t in target.values() if not t.is_floating_point()]
    for tensor in whole or target.values():
        axes = next((axes for size, axes in _counts(tensor) if size == count), None)
        if axes is None:
            continue
        by_row = tensor.double().nan_to_num(0).movedim(axes, tuple(range(len(axes))))
        by_row = by_row.flatten(0, len(axes) - 1).reshape(count, -1)
        change = (by_row - by_row.median(0).values).abs().amax(1)
        claimed = (change > CLAIMED * change.max()).nonzero()[:, 0]
        if len(claimed) < FEW * count:
            rows |= set(claimed.tolist())
    return rows


def _are_far(one: Tensor, other: Tensor) -> bool:
    """Say whether there is a box's own size of room between two boxes."""
    gap = torch.maximum(other[:2] - one[2:], one[:2] - other[2:])
    return bool((gap > (one[2:] - one[:2])).any())


def _box(box: Tensor) -> str:
    return f"({', '.join(f'{value:.0f}' for value in box.tolist())})"


CHECK = Check(
    id="misassigned-box",
    summary="boxes that are assigned to rows in other places",
    stage=Stage.ROUND_TRIP,
    severity=Severity.ERROR,
    remedy="Give the matching boxes and priors in one format and one unit: corners in pixels for "
    "an IoU of corners; and look at which priors are positive, drawn over an image.",
    find=find_misassigned_boxes,
    explained_by=("unsound-sample", "uncovered-object", "ill-fitting-prior"),
)
