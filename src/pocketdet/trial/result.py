"""What came of a trial, as one small file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch

from pocketdet.conventions import Detections
from pocketdet.evaluate import Evaluation
from pocketdet.train.atomic_file import write_atomically

Outcome = Literal["trained", "diverged"]

FIGURES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_100")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialResult:
    """How a trial ended.

    - `outcome`: a training that "diverged" gave no detector; it finds nothing, so its AP is 0;
    - `reason`: why it diverged, a sentence; else empty;
    - `history`: the mean losses of each epoch, or of each ten steps, with `step` at its end;
    - `figures`: COCO's numbers in [0, 1], NaN where there was nothing to score; `class_ap`,
      `class_ap50`: of each class;
    - `held_out_loss`: on fixed pictures of the validation split; infinite after divergence;
    - `unmoved`: matrices and kernels that are still what they were before the first step;
    - `detections`: of each image of the validation split, in its order, in image pixels;
    - `seconds`: of training and evaluation together, without reading the data.
    """

    outcome: Outcome
    reason: str = ""
    num_steps: int
    history: tuple[dict[str, float], ...]
    figures: Mapping[str, float]
    class_ap: Mapping[str, float]
    class_ap50: Mapping[str, float]
    held_out_loss: float
    seconds: float
    device: str
    detections: tuple[Detections, ...]
    unmoved: tuple[str, ...] = ()

    @property
    def ap(self) -> float:
        """COCO's AP, in [0, 1]."""
        return self.figures["ap"]

    @property
    def ap50(self) -> float:
        """AP at IoU .5, in [0, 1]."""
        return self.figures["ap50"]

    def to_data(self) -> dict[str, Any]:
        """Give all but the detections as plain data; a number that is none becomes None."""
        names = [name for name in self.__dataclass_fields__ if name != "detections"]
        return {name: _plain(getattr(self, name)) for name in names}


def figures_of(evaluation: Evaluation) -> dict[str, Any]:
    """Give an evaluation's numbers by the names of `TrialResult`'s fields."""
    return {
        "figures": {name: getattr(evaluation, name) for name in FIGURES},
        "class_ap": {found.name: found.ap for found in evaluation.classes},
        "class_ap50": {found.name: found.ap50 for found in evaluation.classes},
    }


def save_result(result: TrialResult, path: Path) -> None:
    """Write a result to an .npz file, whole or not at all."""
    counts = [len(found) for found in result.detections]
    # `allow_nan` writes NaN and Infinity, which `json` reads back as they were.
    numbers = {name: getattr(result, name) for name in result.__dataclass_fields__}
    numbers.pop("detections")
    arrays: dict[str, Any] = {
        "numbers": np.array(json.dumps(numbers, allow_nan=True)),
        "counts": np.array(counts, np.int32),
        "boxes_xyxy": _joined([f.boxes_xyxy for f in result.detections], (0, 4)).astype(np.float32),
        "scores": _joined([f.scores for f in result.detections], (0,)).astype(np.float32),
        "labels": _joined([f.labels for f in result.detections], (0,)).astype(np.int16),
    }
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def load_result(path: Path) -> TrialResult:
    """Read what `save_result` wrote; it has no pickled code. Raises `ValueError` if damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            numbers = json.loads(str(arrays["numbers"]))
            counts = arrays["counts"].tolist()
            parts = [
                torch.from_numpy(arrays[name].astype(kind)).split(counts)
                for name, kind in (
                    ("boxes_xyxy", np.float32),
                    ("scores", np.float32),
                    ("labels", np.int64),
                )
            ]
    except (BadZipFile, KeyError, OSError, ValueError) as error:
        raise ValueError(f"{path} is no result of a trial, or is damaged; remove it.") from error
    detections = tuple(
        Detections(boxes_xyxy=boxes, scores=scores, labels=labels)
        for boxes, scores, labels in zip(*parts, strict=True)
    )
    for name in ("history", "unmoved"):
        numbers[name] = tuple(numbers.get(name, ()))
    return TrialResult(**numbers, detections=detections)


def _joined(tensors: Sequence[torch.Tensor], empty: tuple[int, ...]) -> Any:
    return torch.cat([*tensors, torch.zeros(empty)]).numpy()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
