"""Which output values say that an object is there, by the user's own `encode` and `perfect`."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.data_stage import StageFailed, stage
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.labelled import Labelled, sound_boxes
from pocketdet.doctor.observations.places import Places
from pocketdet.doctor.observations.round_trip import encoded
from pocketdet.doctor.pipeline import DetectionPipeline

NUM_PLACES = 48  # over the image; each costs an `encode` and a `perfect`
LARGEST = 0.3  # of the image's side: larger boxes are seen from everywhere
SAYS = 0.5  # of an output's largest change: the tail of a heat map does not say it
TAIL = 0.02  # of it: what changes less is as good as unchanged
MOST_SHARE = (
    0.25  # of an output's values; where more change, as deltas to all priors, it is no place
)
SAME_SHAPE = 1.05  # times another aspect ratio: the samples are as the network's input


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """One object, alone in its image, and the values that say so.

    - `box_xyxy`: in pixels of the network's input;
    - `values`: by the output's path, the indices of the values in one sample's flattened output.
    """

    box_xyxy: Tensor
    values: dict[str, Tensor]


def answers(
    pipeline: DetectionPipeline, labelled: tuple[Labelled, ...], places: Places
) -> tuple[Answer, ...]:
    """Put a small object at many places, one at a time, and see what `perfect` answers there."""
    boxes, label, scale = _moved_about(labelled, places)
    shapes = {path: look.shape for path, look in places.outputs.items()}
    try:
        outputs = [_stated(pipeline, box, label, shapes) for box in boxes]
    except StageFailed as failure:
        raise NotObservable(str(failure)) from failure
    if not any(outputs):
        raise NotObservable("`perfect` gives no output of the shape of the network's")
    usual = {
        path: torch.stack([o[path] for o in outputs]).median(0).values
        for path in outputs[0]
        if all(path in o and o[path].shape == outputs[0][path].shape for o in outputs)
    }
    return tuple(
        Answer(box_xyxy=box * scale, values=_unusual(one, usual))
        for box, one in zip(boxes, outputs, strict=True)
    )


def _moved_about(labelled: tuple[Labelled, ...], places: Places) -> tuple[Tensor, int, Tensor]:
    """Give small boxes spread over an image, a label, and the scale to the network's input."""
    every = list(sound_boxes(labelled))
    if not every:
        raise NotObservable("no sample has a sound box")
    one = every[0][0]
    room = torch.tensor([one.width, one.height], dtype=torch.float64)
    scale = torch.tensor([places.width, places.height], dtype=torch.float64) / room
    if not 1 / SAME_SHAPE < float(scale[0] / scale[1]) < SAME_SHAPE:
        raise NotObservable("the network's input has another shape than the samples")
    sides = torch.cat([boxes[:, 2:] - boxes[:, :2] for _, boxes, _ in every])
    small = torch.minimum(sides.quantile(0.25, dim=0), LARGEST * room)
    corners = torch.rand(NUM_PLACES, 2, dtype=torch.float64) * (room - small)
    label = int(torch.cat([labels for _, _, labels in every]).mode().values)
    return torch.cat([corners, corners + small], 1), label, scale.repeat(2)


def _stated(
    pipeline: DetectionPipeline, box: Tensor, label: int, shapes: dict[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    targets: Any = encoded(pipeline, box[None], torch.tensor([label]))
    found = dict(tensors_in(stage(pipeline, "perfect")(targets)))
    stated: dict[str, Tensor] = {}
    for path, tensor in found.items():
        same = _same_output(path, tensor, shapes)
        if same is not None:
            stated[same] = tensor[0].detach().double().flatten().cpu()
    return stated


def _same_output(path: str, tensor: Tensor, shapes: dict[str, tuple[int, ...]]) -> str | None:
    """Name the network's output that this one is: by its path, or by its shape alone."""
    if not tensor.is_floating_point() or tensor.ndim < 2 or len(tensor) != 1:
        return None
    alike = [name for name, shape in shapes.items() if shape[1:] == tuple(tensor.shape[1:])]
    if path in alike:
        return path
    return alike[0] if len(alike) == 1 else None


def _unusual(one: dict[str, Tensor], usual: dict[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for path, middle in usual.items():
        change = (one[path] - middle).nan_to_num(0).abs()
        says = (change > SAYS * change.max()).nonzero()[:, 0]
        if len(says) and float((change > TAIL * change.max()).double().mean()) <= MOST_SHARE:
            found[path] = says
    return found
