"""What is wrong with labelled boxes: one meaning for checking and for repairing."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.conventions import Sample

# Sides below it count as zero: it is the precision that converting between formats keeps,
# and a box's logarithm in the encoder stays small.
SMALLEST_SIDE_PX = 0.01
# Rounded shares in YOLO files reach over the border by up to 1e-5 of the image.
BORDER_TOLERANCE_PX = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxState:
    """All n boxes of some samples in one table, and masks (n,) of what is wrong with them.

    - `owner`, `place`: (n,) the sample's place in the list, and the box's in the sample;
    - `usable`: what training keeps, in the form `repaired_xyxy` (n, 4): corners in order,
      clipped to the image, every side at least `SMALLEST_SIDE_PX`.
    """

    owner: Tensor
    place: Tensor
    boxes_xyxy: Tensor
    not_a_number: Tensor
    unknown_class: Tensor
    zero_area: Tensor
    negative_area: Tensor
    swapped_corners: Tensor
    wholly_outside: Tensor
    partly_outside: Tensor
    duplicate: Tensor
    usable: Tensor
    repaired_xyxy: Tensor


def box_state(samples: Sequence[Sample], *, num_classes: int) -> BoxState:
    """Examine the boxes of all samples at once.

    Zero area goes before swapped corners and before outside. A box is a duplicate when an
    earlier usable one of its image has its class and, to 0.01 px, its coordinates.
    """
    counts = torch.tensor([len(sample.labels) for sample in samples], dtype=torch.int64)
    owner = torch.arange(len(samples)).repeat_interleave(counts)
    start = counts.cumsum(0) - counts
    boxes_xyxy = _join([sample.boxes_xyxy for sample in samples], torch.zeros(0, 4))
    labels = _join([sample.labels for sample in samples], torch.zeros(0, dtype=torch.int64))
    sizes = torch.tensor([sample.size for sample in samples]).reshape(-1, 2)[owner]
    limit = sizes[:, [1, 0, 1, 0]].to(torch.float64)

    finite = boxes_xyxy.isfinite().all(dim=1)
    given = boxes_xyxy.to(torch.float64).where(finite[:, None], 0.0)
    low, high = torch.minimum(given[:, :2], given[:, 2:]), given[:, :2].maximum(given[:, 2:])
    ordered = torch.cat([low, high], dim=1)
    clipped = ordered.clamp(min=0).minimum(limit)
    num_swapped = (given[:, 2:] < given[:, :2]).sum(dim=1)
    has_area = finite & (_shorter_side(ordered) >= SMALLEST_SIDE_PX)
    inside = has_area & (_shorter_side(clipped) >= SMALLEST_SIDE_PX)
    moved = ((ordered - clipped).abs() > BORDER_TOLERANCE_PX).any(dim=1)
    unknown_class = (labels < 0) | (labels >= num_classes)
    valid = inside & ~unknown_class
    duplicate = _duplicates(owner, labels, ordered, among=valid)
    return BoxState(
        owner=owner,
        place=torch.arange(len(owner)) - start[owner],
        boxes_xyxy=boxes_xyxy,
        not_a_number=~finite,
        unknown_class=unknown_class,
        zero_area=finite & ~has_area,
        negative_area=has_area & (num_swapped == 1),
        swapped_corners=has_area & (num_swapped == 2),
        wholly_outside=has_area & ~inside,
        partly_outside=inside & moved,
        duplicate=duplicate,
        usable=valid & ~duplicate,
        repaired_xyxy=clipped.to(torch.float32),
    )


def _join(parts: Sequence[Tensor], empty: Tensor) -> Tensor:
    return torch.cat([empty, *parts])


def _shorter_side(boxes_xyxy: Tensor) -> Tensor:
    return (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).amin(dim=1)


def _duplicates(owner: Tensor, labels: Tensor, boxes_xyxy: Tensor, *, among: Tensor) -> Tensor:
    """Mark those that follow an equal one; a set is faster than sorting rows of tensors."""
    rows = among.nonzero().flatten()
    keys = torch.cat(
        [owner[rows, None], labels[rows, None], (boxes_xyxy[rows] / SMALLEST_SIDE_PX).round()],
        dim=1,
    )
    seen: set[tuple[float, ...]] = set()
    again: list[bool] = []
    for key in map(tuple, keys.tolist()):
        again.append(key in seen)
        seen.add(key)
    duplicate = torch.zeros_like(among)
    duplicate[rows] = torch.tensor(again, dtype=torch.bool)
    return duplicate
