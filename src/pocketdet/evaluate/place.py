"""Where a detector runs."""

from pathlib import Path

import torch

from pocketdet.model.detector import Detector
from pocketdet.runtime import Runner, is_exported_file, open_runner


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


def open_any(path: Path, device: str = "auto", *, threads: int = 1) -> Detector | Runner:
    """Load a checkpoint, a run's best, or an exported file, which runs on the CPU."""
    if not is_exported_file(path):
        return load_on(path, device)
    if device not in ("auto", "cpu"):
        raise ValueError(f"`device` must be cpu for an exported file; got {device!r}.")
    return open_runner(path, threads=threads)
