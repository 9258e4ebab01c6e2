"""Where a detector runs."""

from pathlib import Path

import torch

from pocketdet.model.detector import Detector


def load_on(path: Path, device: str = "auto") -> Detector:
    """Load a checkpoint, or a run's best, onto a device; "auto" takes a GPU if there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return Detector.load(path, device=device)
    except RuntimeError as error:
        if "device" not in str(error).lower() and "cuda" not in str(error).lower():
            raise
        raise ValueError(f"`device` {device!r} cannot be used here: {error}") from error
