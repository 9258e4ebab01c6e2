"""The pipeline's samples as plain numbers, a few of them, evenly spread."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.pipeline import DetectionPipeline

MOST_SAMPLES = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """One sample.

    - `number`: its place in `pipeline.samples`; `sample`: the user's own, not to be changed;
    - `height`, `width`: pixels; `boxes_xyxy`: (n, 4) float64; `labels`: (n,) int64;
    - `sound`: (n,) bool, boxes that lie in the image and have a label in range.
    """

    number: int
    sample: Any
    height: int
    width: int
    boxes_xyxy: Tensor
    labels: Tensor
    sound: Tensor


def labelled(pipeline: DetectionPipeline) -> tuple[Labelled, ...]:
    """Read the samples; raises `NotObservable` where they cannot be, or none has a box."""
    try:
        return read_samples(pipeline)
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure


def read_samples(pipeline: DetectionPipeline) -> tuple[Labelled, ...]:
    """Read the samples; raises `StageFailed` where they cannot be read."""
    count = len(pipeline.samples)
    step = max(1, -(-count // MOST_SAMPLES))
    found = tuple(read_sample(pipeline, number) for number in range(0, count, step))
    if not any(len(one.labels) for one in found):
        raise NotObservable("`pipeline.samples` has no box")
    return found


def read_sample(pipeline: DetectionPipeline, number: int) -> Labelled:
    """Read one sample; raises `StageFailed` where it cannot be read."""
    sample = pipeline.samples[number]
    try:
        height, width = (int(side) for side in sample.image.shape[-2:])
        boxes = torch.as_tensor(sample.boxes_xyxy).detach().double().reshape(-1, 4).cpu()
        labels = torch.as_tensor(sample.labels).detach().long().reshape(-1).cpu()
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise StageFailed("samples", f"cannot be read: {error}") from error
    inside = (boxes[:, :2] >= -1).all(1) & (boxes[:, 2] <= width + 1) & (boxes[:, 3] <= height + 1)
    is_box = (boxes[:, 2:] > boxes[:, :2]).all(1) & boxes.isfinite().all(1)
    in_range = (labels >= 0) & (labels < pipeline.num_classes)
    sound = inside & is_box & in_range if len(boxes) == len(labels) else torch.zeros(0).bool()
    return Labelled(
        number=number,
        sample=sample,
        height=height,
        width=width,
        boxes_xyxy=boxes,
        labels=labels,
        sound=sound,
    )


def sound_boxes(labelled: tuple[Labelled, ...]) -> Iterator[tuple[Labelled, Tensor, Tensor]]:
    """Give each sample that has sound boxes, with these and their labels."""
    for one in labelled:
        if len(one.sound) and bool(one.sound.any()):
            yield one, one.boxes_xyxy[one.sound], one.labels[one.sound]
