"""The detector that is compressed, and how it was trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from pocketdet.model import Detector
from pocketdet.model.saved_detector import checkpoint_in
from pocketdet.runs.data import DataSource
from pocketdet.train.settings import TrainSettings
from pocketdet.train.settings_data import settings_from_data


@dataclass(frozen=True, kw_only=True, eq=False)
class Origin:
    """A run or checkpoint, read.

    `settings` are those of its training, or the defaults; `source` is None where it does not say
    on what it was trained.
    """

    detector: Detector
    settings: TrainSettings
    source: DataSource | None


def read_origin(path: Path) -> Origin:
    """Read a run's folder, a compressed one or a checkpoint; `ValueError` for anything else."""
    detector = Detector.load(path)
    training = _training_of(path)
    return Origin(
        detector=detector,
        settings=settings_from_data(training.get("settings", {})),
        source=DataSource(**training["source"]) if training.get("source") else None,
    )


def _training_of(path: Path) -> dict[str, Any]:
    file = checkpoint_in(path)
    saved = torch.load(file, map_location="cpu", weights_only=True)
    if "training" in saved:
        return saved["training"]
    request = file.parent / "compress.yaml"
    if not request.is_file():
        return {}
    asked = yaml.safe_load(request.read_text(encoding="utf-8"))
    settings = yaml.safe_load((file.parent / "settings.yaml").read_text(encoding="utf-8"))
    source = {name: asked[name] for name in ("data", "split_train", "split_val")}
    return {"settings": settings, "source": source}
