"""Run the user's own stages of the data's way, and say which one failed, and where."""

from collections.abc import Callable
from dataclasses import dataclass
import traceback
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.source_line import is_users


class StageFailed(Exception):
    """A stage of the pipeline raised, or gave what is not its part to give.

    - `stage`: the field of `DetectionPipeline`; `source`: the user's innermost line, or None.
    """

    def __init__(self, stage: str, words: str, source: SourceLine | None = None) -> None:
        super().__init__(f"`{stage}` {words}")
        self.stage = stage
        self.source = source


def stage(pipeline: DetectionPipeline, name: str) -> Callable[..., Any]:
    """Give a stage; raises `NotObservable` where the user gave none.

    What it is called with is copied, and what it raises becomes `StageFailed`.
    """
    function = getattr(pipeline, name)
    if function is None:
        raise NotObservable(f"needs `pipeline.{name}`")

    def run(*arguments: Any) -> Any:
        try:
            with torch.no_grad():
                return function(*arguments)
        except Exception as error:  # The user's own code may raise anything; it is reported.
            words = f"raised {type(error).__name__}: {error}"
            raise StageFailed(name, words, users_line(error)) from error

    return run


def stage_source(pipeline: DetectionPipeline, name: str) -> SourceLine | None:
    """Give the line at which a stage's function begins, None for what has no code of its own."""
    function: Any = getattr(pipeline, name)
    call = vars(type(function)).get("__call__") if function is not None else None
    code = getattr(function, "__code__", None) or getattr(call, "__code__", None)
    if code is None or not is_users(code.co_filename):
        return None
    return SourceLine(code.co_filename, code.co_firstlineno)


def users_line(error: Exception) -> SourceLine | None:
    """Give the innermost line of the user's own code that an exception came through."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if is_users(frame.filename) and frame.lineno is not None:
            return SourceLine(frame.filename, frame.lineno)
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """Detections in one image, as a stage gave them, or as the doctor makes them up."""

    boxes_xyxy: Tensor
    scores: Tensor
    labels: Tensor


def detections_in(found: Any) -> Said:
    """Read what `decode` gave for a batch of one; raises `StageFailed` for something else."""
    try:
        (only,) = found
        boxes, scores, labels = only.boxes_xyxy, only.scores, only.labels
        return Said(
            boxes_xyxy=torch.as_tensor(boxes).detach().double().reshape(-1, 4).cpu(),
            scores=torch.as_tensor(scores).detach().double().reshape(-1).cpu(),
            labels=torch.as_tensor(labels).detach().long().reshape(-1).cpu(),
        )
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        words = "must give one entry an image with `boxes_xyxy`, `scores` and `labels`; it gave "
        raise StageFailed("decode", f"{words}{type(found).__name__} ({error})") from error


def is_same(first: Any, second: Any) -> bool | None:
    """Say whether two targets hold the same numbers, None where they hold no tensors."""
    one, other = dict(tensors_in(first)), dict(tensors_in(second))
    if not one and not other:
        return None
    if one.keys() != other.keys():
        return False
    return all(_are_equal(one[path], other[path]) for path in one)


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one, other))


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """Give the intersection over union of each box with each other, (n, 4), (m, 4) to (n, m)."""
    top_left = torch.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = (bottom_right - top_left).clamp_min(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(-1) for boxes in (first, second)]
    return overlap / (areas[0][:, None] + areas[1][None, :] - overlap).clamp_min(1e-9)
