"""A tiny detector, a data set of bright and dark squares, and a step that only counts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tiny_training import TINY
import torch

from pocketdet.compress import FineTuning, StepResult, Workbench
from pocketdet.conventions import ClassList, Sample
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.any_format import write_dataset
from pocketdet.model import (
    Detector,
    DetectorConfig,
    build,
)


def tiny_detector(config: DetectorConfig = TINY) -> Detector:
    torch.manual_seed(0)
    return build(config, classes=ClassList.of(["bright", "dark"])).eval()


def write_squares(folder: Path) -> Path:
    """Write two splits of 64 × 64 noise with a bright (class 0) or dark (class 1) square."""
    rng = np.random.default_rng(0)
    splits = {
        name: [_square(rng, f"{name}{n}") for n in range(number)]
        for name, number in (("train", 12), ("val", 6))
    }
    dataset = Dataset(
        classes=ClassList.of(["bright", "dark"]),
        splits=splits,
        traits=Traits(),
        root=folder,
        format="coco",
    )
    write_dataset(dataset, folder / "squares", "coco")
    return folder / "squares"


def _square(rng: np.random.Generator, image_id: str) -> Sample:
    image = rng.integers(100, 156, (3, 64, 64), dtype=np.uint8)
    x, y = (int(v) for v in rng.integers(0, 40, 2))
    side, label = int(rng.integers(10, 24)), int(rng.integers(2))
    image[:, y : y + side, x : x + side] = (230, 20)[label]
    box = [x, y, x + side, y + side]
    return Sample.of(torch.from_numpy(image), [box], [label], image_id=image_id)


@dataclass(frozen=True, kw_only=True)
class Halve:
    """Halve every value of the head, then train on; stops half-way while a file says so."""

    epochs: float = 1.0
    stop: str = ""

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        if self.stop and Path(self.stop).exists():
            raise KeyboardInterrupt
        tuned = bench.fine_tune(detector, FineTuning(epochs=self.epochs), name="tuned")
        images = bench.calibration_images(detector, 5)
        return StepResult(
            detector=tuned, figures={"images": float(len(images))}, given_up=("nothing",)
        )
