"""Boxes through the training augmentation, beside a marker painted where each of them was."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed, pairwise_iou, stage
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.pipeline import DetectionPipeline

MOST_BOXES = 16
NUM_DRAWS = 6  # of the augmentation for each box
LEAST_SIDE = 6  # pixels of a box: a smaller marker is lost in the resizing
MARKER, GROUND = (255, 0, 255), (0, 255, 0)  # two channels high, or one: no grey fill is either
CLEAR = 0.2  # of the image's range, that a marker must stand out by
DENSE = 0.3  # of the fullest line, that lines of the marker are filled
ALONE = 0.3  # IoU with another box of the sample: the two would be taken for each other


@dataclass(frozen=True, kw_only=True, eq=False)
class Followed:
    """One draw for one box.

    - `sample`: place in `pipeline.samples`; `was_xyxy`, `label`: before;
    - `marker_xyxy`: where the pixels went, in the transformed image of `height` × `width`;
    - `boxes_xyxy`, `labels`: all boxes afterwards; `best`: the one nearest to the marker, or None;
    - `iou`: of that one with the marker, with 1.5 pixels allowed at each side.
    """

    sample: int
    was_xyxy: Tensor
    label: int
    marker_xyxy: Tensor
    height: int
    width: int
    boxes_xyxy: Tensor
    labels: Tensor
    best: int | None
    iou: float


def followed_boxes(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...]
) -> tuple[Followed, ...]:
    """Paint one box at a time, transform, and find the paint again.

    Only markers that are whole afterwards, away from the border, are kept. Raises `StageFailed`
    where `transform` raises.
    """
    transform = stage(pipeline, "transform")
    found: list[Followed] = []
    for one, number in _chosen(labelled)[:MOST_BOXES]:
        for _ in range(NUM_DRAWS):
            marked = painted(one, one.boxes_xyxy[number])
            followed = _followed(one, number, transform(marked))
            if followed is not None:
                found.append(followed)
    if not found:
        raise NotObservable("no box can be followed through `pipeline.transform`")
    return tuple(found)


def _chosen(labelled: tuple[Labelled, ...]) -> list[tuple[Labelled, int]]:
    """Choose boxes that are large enough and stand alone, from as many samples as can be."""
    by_sample: list[list[tuple[Labelled, int]]] = []
    for one, _, _ in sound_boxes(labelled):
        boxes = one.boxes_xyxy
        overlap = pairwise_iou(boxes, boxes).fill_diagonal_(0).amax(1)
        large = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= LEAST_SIDE
        usable = large & (overlap < ALONE) & one.sound
        by_sample.append([(one, n) for n in usable.nonzero()[:, 0].tolist()])
    longest = max(map(len, by_sample), default=0)
    return [chosen[n] for n in range(longest) for chosen in by_sample if n < len(chosen)]


def painted(one: Labelled, box: Tensor) -> Any:
    """Give a copy of the sample whose image is plain, with the box in another colour."""
    sample = copy.deepcopy(one.sample)
    image = sample.image
    x1, y1, x2, y2 = (round(v) for v in box.tolist())
    scale = 1.0 if not image.is_floating_point() or image.max() > 1 else 1 / 255
    for channel, (ground, marker) in enumerate(zip(GROUND, MARKER, strict=True)):
        image[channel] = ground * scale
        image[channel, max(y1, 0) : y2, max(x1, 0) : x2] = marker * scale
    if not torch.equal(sample.image, image):
        raise NotObservable("the samples' images cannot be painted: they are made anew when read")
    return sample


def _followed(one: Labelled, number: int, after: Any) -> Followed | None:
    try:
        image = torch.as_tensor(after.image).detach().double().cpu()
        boxes = torch.as_tensor(after.boxes_xyxy).detach().double().reshape(-1, 4).cpu()
        labels = torch.as_tensor(after.labels).detach().long().reshape(-1).cpu()
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise StageFailed("transform", f"gives no sample: {error}") from error
    marker = found_marker(image)
    if marker is None:
        return None
    iou = _lenient_iou(marker, boxes)
    best = int(iou.argmax()) if len(boxes) else None
    return Followed(
        sample=one.number,
        was_xyxy=one.boxes_xyxy[number],
        label=int(one.labels[number]),
        marker_xyxy=marker,
        height=int(image.shape[-2]),
        width=int(image.shape[-1]),
        boxes_xyxy=boxes,
        labels=labels,
        best=best,
        iou=float(iou[best]) if best is not None else 0.0,
    )


def found_marker(image: Tensor) -> Tensor | None:
    """Find the marker, None where it is cut off or cannot be told from the rest."""
    if image.ndim != 3 or image.shape[0] != 3:
        return None
    low, middle, high = image.sort(0).values
    marked = (middle - low) - (high - middle)  # two high channels of three, in whatever order
    if float(marked.max()) < CLEAR * float(image.max() - image.min()) or marked.max() <= 0:
        return None
    is_marker = marked > 0.5 * marked.max()
    spans: list[tuple[int, int]] = []
    for axis in (0, 1):  # over rows: the columns, then the rows
        filled = is_marker.double().sum(axis)
        lines = (filled >= DENSE * filled.max()).nonzero()[:, 0]
        spans.append((int(lines[0]), int(lines[-1]) + 1))
    (x1, x2), (y1, y2) = spans
    height, width = image.shape[-2:]
    if x1 <= 1 or y1 <= 1 or x2 >= width - 1 or y2 >= height - 1:
        return None
    if min(x2 - x1, y2 - y1) < LEAST_SIDE:
        return None
    return torch.tensor([x1, y1, x2, y2], dtype=torch.float64)


def _lenient_iou(marker: Tensor, boxes: Tensor) -> Tensor:
    """Give the IoU with each box after its sides are moved to the marker's by up to 1.5 px."""
    moved = boxes + (marker - boxes).clamp(-1.5, 1.5)
    return pairwise_iou(marker[None], moved)[0]
