"""A detector as plain data and tensors, for checkpoints. Reading it runs no pickled code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pocketdet.conventions import ClassList
from pocketdet.model.assemble import build
from pocketdet.model.config_data import config_from_data, config_to_data
from pocketdet.model.detector import Detector
from pocketdet.model.own_code import existing, importable_from, own_folders
from pocketdet.model.quantized import QuantizedDetector
from pocketdet.model.quantized.saved import KEY, bits_from_data, quantized_to_data, unpack_weights
from pocketdet.model.surgery import surgeries_from_data, surgeries_to_data
from pocketdet.model.zeros import with_zeros, without_zeros


def detector_to_data(detector: Detector) -> dict[str, Any]:
    """Give config (with its input contract), class names, weights, and surgeries if any.

    A quantised detector's weights are its integers, packed; see `quantized.saved`.
    """
    data: dict[str, Any] = {
        "config": config_to_data(detector.config),
        "classes": list(detector.classes),
        "weights": detector.state_dict(),
    }
    if folders := own_folders(detector.config):
        data["own_parts_in"] = folders
    if detector.surgeries:
        data["surgery"] = surgeries_to_data(detector.surgeries)
    if isinstance(detector, QuantizedDetector):
        data |= quantized_to_data(detector)
    return data


def compact_data(detector: Detector) -> dict[str, Any]:
    """Give what `detector_to_data` gives, in the least space: zeros are not written."""
    return without_zeros(detector_to_data(detector))


def detector_from_data(data: dict[str, Any]) -> Detector:
    """Rebuild a detector from its config and surgeries, never from the shapes of its weights.

    Parts of the user's own are looked for where they were when it was saved, too.
    """
    data = with_zeros(data)
    with importable_from(*existing(data.get("own_parts_in", ()))):
        config = config_from_data(data["config"])
    detector = build(config, classes=ClassList.of(data["classes"]))
    for surgery in surgeries_from_data(data.get("surgery", ())):
        detector.undergo(surgery)
    if KEY in data:
        detector = QuantizedDetector(detector, bits_from_data(data[KEY]))
    load_weights(detector, data["weights"])
    return detector


def load_weights(detector: Detector, weights: Mapping[str, Tensor]) -> None:
    """Put a checkpoint's weights into a detector of the same structure."""
    if isinstance(detector, QuantizedDetector):
        unpack_weights(detector, weights["packed"])
    else:
        detector.load_state_dict(weights)


def load_detector(path: Path) -> Detector:
    """Read a checkpoint file, or `best.pt` (else `last.pt`) of a run's folder."""
    file = checkpoint_in(path)
    data = read_data(file)
    missing = {"config", "classes", "weights"} - set(data if isinstance(data, dict) else {})
    if missing:
        raise ValueError(
            f"{file} is no checkpoint of pocketdet: it has no {', '.join(sorted(missing))}."
        )
    return detector_from_data(data)


def read_data(file: Path) -> Any:
    """Read plain data and tensors; raises `ValueError` for a file that holds something else."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # Bytes of any other file make the reader raise anything.
        raise ValueError(f"{file} is no checkpoint of pocketdet, or is damaged.") from error


def checkpoint_in(path: Path) -> Path:
    """Find the checkpoint that a path means; raises `ValueError` when there is none."""
    candidates = [path / "best.pt", path / "last.pt"] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ValueError(
        f"`{path}` must be a checkpoint or a run's folder with best.pt or last.pt in it; "
        + ("the folder has neither." if path.is_dir() else "there is no such file.")
    )
