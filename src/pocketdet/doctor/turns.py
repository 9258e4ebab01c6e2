"""How a loss turned the images that it shows the model: mirrored, transposed or shifted."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from types import SimpleNamespace

import torch
from torch import Tensor

from pocketdet.doctor.observations.labelled import Labelled

PATCH = 12  # pixels of a side, by which a shift is recognised
LEAST_LEFT = 0.3  # of a box's area, that must stay in the image


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What was done to an image: transposed, then mirrored along `axes`, then shifted.

    `right`, `down`: in pixels of the image, and of a sample as large.
    """

    is_transposed: bool = False
    axes: tuple[int, ...] = ()
    right: int = 0
    down: int = 0

    def of_image(self, image: Tensor) -> Tensor:
        """Turn an image (c, h, w), without its shift."""
        turned = image.transpose(-1, -2) if self.is_transposed else image
        return turned.flip(self.axes)

    def of_sample(self, one: Labelled, image_size: tuple[int, int]) -> Labelled:
        """Turn a sample with its boxes; (height, width) of the network's input scale the shift."""
        boxes, height, width = one.boxes_xyxy.clone(), one.height, one.width
        if self.is_transposed:
            boxes, height, width = boxes[:, [1, 0, 3, 2]], width, height
        for axis, side, low in ((-1, width, 0), (-2, height, 1)):
            if axis in self.axes:
                boxes[:, [low, low + 2]] = side - boxes[:, [low + 2, low]]
        boxes, stays = self._shifted(boxes, (height, width), image_size)
        sample = SimpleNamespace(
            image=self.of_image(one.sample.image), boxes_xyxy=boxes, labels=one.labels
        )
        return replace(
            one,
            sample=sample,
            boxes_xyxy=boxes,
            height=height,
            width=width,
            sound=one.sound & stays,
        )

    def _shifted(
        self, boxes: Tensor, size: tuple[int, int], image_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        if not (self.right or self.down):
            return boxes, torch.ones(len(boxes), dtype=torch.bool)
        step = torch.tensor(
            [self.right * size[1] / image_size[1], self.down * size[0] / image_size[0]],
            dtype=boxes.dtype,
        )
        limit = torch.tensor([size[1], size[0]], dtype=boxes.dtype).repeat(2)
        moved = torch.minimum((boxes + step.repeat(2)).clamp_min(0), limit)
        left = (moved[:, 2:] - moved[:, :2]).clamp_min(0).prod(1)
        return moved, left >= LEAST_LEFT * (boxes[:, 2:] - boxes[:, :2]).prod(1)


AXES = ((), (-1,), (-2,), (-1, -2))


def turn_between(before: Tensor, now: Tensor) -> Turn | None:
    """Find what was done to an image (c, h, w); None where it is something else."""
    if before.shape != now.shape or before.ndim != len(("c", "h", "w")):
        return None
    is_square = before.shape[-1] == before.shape[-2]
    for is_transposed, axes in product((False, True) if is_square else (False,), AXES):
        turn = Turn(is_transposed=is_transposed, axes=axes)
        if torch.equal(turn.of_image(before), now):
            return turn
    return next((turn for turn in _shifts(before, now) if _is_shift(turn, before, now)), None)


def _shifts(before: Tensor, now: Tensor) -> Iterator[Turn]:
    """Look for the middle of the one image in the other."""
    height, width = now.shape[-2:]
    if min(height, width) < 2 * PATCH:
        return
    y, x = (height - PATCH) // 2, (width - PATCH) // 2
    patch = now[:, y : y + PATCH, x : x + PATCH]
    windows = before.unfold(1, PATCH, 1).unfold(2, PATCH, 1)
    same = (windows == patch[:, None, None]).all(-1).all(-1).all(0).nonzero()
    if len(same) == 1:
        was_y, was_x = same[0].tolist()
        yield Turn(right=x - was_x, down=y - was_y)


def _is_shift(turn: Turn, before: Tensor, now: Tensor) -> bool:
    rows, columns = (
        (slice(max(0, step), side + min(0, step)), slice(max(0, -step), side + min(0, -step)))
        for step, side in ((turn.down, now.shape[-2]), (turn.right, now.shape[-1]))
    )
    return torch.equal(now[:, rows[0], columns[0]], before[:, rows[1], columns[1]])
