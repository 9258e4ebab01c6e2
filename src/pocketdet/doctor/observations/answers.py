"""Which output values say that an object is there, by the user's own `encode` and `perfect`."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed, stage
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.places import Places, are_alike
from pocketdet.doctor.observations.round_trip import encoded
from pocketdet.doctor.pipeline import DetectionPipeline

NUM_PLACES = 48  # over the image, for each size; each costs an `encode` and a `perfect`
SIZES = (0.25, 0.6, 0.95)  # quantiles of the boxes' sides: levels of a pyramid share them out
LARGEST = 0.4  # of the image's side: larger boxes are seen from everywhere
ANOTHER = 1.3  # times the last size: nearer ones go to the same values
SAYS = 0.5  # of a channel's largest change: the tail of a heat map does not say it
TAIL = 0.02  # of it: what changes less is as good as unchanged
MOST_SHARE = (
    0.25  # of a channel's values; where more change, as deltas to all priors, it is no place
)
SAME_SHAPE = 1.05  # times another aspect ratio: the samples are as the network's input


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """One object, alone in its image, and the values that say so.

    - `box_xyxy`: in pixels of the network's input; `size`: which of the sizes it has, from 0;
    - `values`: by the output's path, the indices of the values in one sample's flattened output.
    """

    box_xyxy: Tensor
    size: int
    values: dict[str, Tensor]


def answers(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...], places: Places
) -> tuple[Answer, ...]:
    """Put an object at many places, in up to three sizes, and see what `perfect` answers there.

    A channel is judged by its own largest change: pixels beside scores would drown them.
    """
    groups, label, scale = _moved_about(labelled, places)
    shapes = {path: look.shape for path, look in places.outputs.items()}
    found: list[Answer] = []
    for size, boxes in enumerate(groups):
        try:
            outputs = [_stated(pipeline, box, label, shapes) for box in boxes]
        except StageFailed as failure:
            raise NotObservable(str(failure)) from failure
        if not any(outputs):
            raise NotObservable("`perfect` gives no output of the shape of the network's")
        values = _unusual(outputs, (places.height, places.width))
        found += [
            Answer(box_xyxy=box * scale, size=size, values=one)
            for box, one in zip(boxes, values, strict=True)
        ]
    return tuple(found)


def channel_axis(shape: tuple[int, ...], image: tuple[int, int]) -> int | None:
    """Say which axis of one sample's output counts different quantities, if that can be seen."""
    if len(shape) == 2:
        return 0 if shape[0] < shape[1] else 1
    if len(shape) == 3:
        is_last = are_alike(shape[:2], image) and not are_alike(shape[1:], image)
        return 2 if is_last else 0
    return None


def _moved_about(
    labelled: tuple[Labelled, ...], places: Places
) -> tuple[list[Tensor], int, Tensor]:
    """Give boxes spread over an image, by sizes, a label, and the scale to the network's input."""
    every = list(sound_boxes(labelled))
    if not every:
        raise NotObservable("no sample has a sound box")
    one = every[0][0]
    room = torch.tensor([one.width, one.height], dtype=torch.float64)
    scale = torch.tensor([places.width, places.height], dtype=torch.float64) / room
    if not 1 / SAME_SHAPE < float(scale[0] / scale[1]) < SAME_SHAPE:
        raise NotObservable("the network's input has another shape than the samples")
    sides = torch.cat([boxes[:, 2:] - boxes[:, :2] for _, boxes, _ in every])
    label = int(torch.cat([labels for _, _, labels in every]).mode().values)
    groups: list[Tensor] = []
    last = torch.zeros(2, dtype=torch.float64)
    for quantile in SIZES:
        size = torch.minimum(sides.quantile(quantile, dim=0), LARGEST * room)
        if float((size - ANOTHER * last).amin()) <= 0:
            continue
        corners = torch.rand(NUM_PLACES, 2, dtype=torch.float64) * (room - size)
        groups.append(torch.cat([corners, corners + size], 1))
        last = size
    return groups, label, scale.repeat(2)


def _stated(
    pipeline: DetectionPipeline, box: Tensor, label: int, shapes: dict[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    targets: Any = encoded(pipeline, box[None], torch.tensor([label]))
    found = dict(tensors_in(stage(pipeline, "perfect")(targets)))
    stated: dict[str, Tensor] = {}
    for path, tensor in found.items():
        same = _same_output(path, tensor, shapes)
        if same is not None:
            stated[same] = tensor[0].detach().double().cpu()
    return stated


def _same_output(path: str, tensor: Tensor, shapes: dict[str, tuple[int, ...]]) -> str | None:
    """Name the network's output that this one is: by its path, or by its shape alone."""
    if not tensor.is_floating_point() or tensor.ndim < 2 or len(tensor) != 1:
        return None
    alike = [name for name, shape in shapes.items() if shape[1:] == tuple(tensor.shape[1:])]
    if path in alike:
        return path
    return alike[0] if len(alike) == 1 else None


def _unusual(outputs: list[dict[str, Tensor]], image: tuple[int, int]) -> list[dict[str, Tensor]]:
    """Give, for each object, the indices of values that change for it and for few others."""
    found: list[dict[str, Tensor]] = [{} for _ in outputs]
    for path in outputs[0]:
        shape = outputs[0][path].shape
        same = [one[path] for one in outputs if path in one and one[path].shape == shape]
        if len(same) < len(outputs):
            continue
        stacked = torch.stack(same)
        changes = (stacked - stacked.median(0).values).nan_to_num(0).abs()
        axis = channel_axis(tuple(changes.shape[1:]), image)
        other = [a for a in range(1, changes.ndim) if axis is None or a != axis + 1]
        largest = changes.amax([0, *other], keepdim=True)
        relative = changes / largest.clamp_min(1e-30)
        is_place = (relative > TAIL).double().mean(other, keepdim=True) <= MOST_SHARE
        for number, says in enumerate((relative > SAYS) & is_place):
            index = says.flatten().nonzero()[:, 0]
            if len(index):
                found[number][path] = index
    return found
