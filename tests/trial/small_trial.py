"""A data set of bright and dark squares and a detector small enough for trials in tests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pocketdet.conventions import ClassList, InputContract, Sample
from pocketdet.data.augment.settings import AugmentSettings
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.any_format import write_dataset
from pocketdet.model import (
    BatchNorm,
    DetectorConfig,
    ExtraConvs,
    PeleeHead,
    PeleeStem,
    PriorLevel,
    TwoWayDense,
)
from pocketdet.runs.data import DataSource
from pocketdet.train.settings import TrainSettings
from pocketdet.trial import Trial

SMALL = DetectorConfig(
    input=InputContract(height=64, width=64),
    stem=PeleeStem(channels=8),
    stages=(
        TwoWayDense(num_layers=2, growth=8, bottleneck_width=1),
        TwoWayDense(num_layers=2, growth=8, bottleneck_width=1),
    ),
    levels_from=(0, 1),
    extras=(ExtraConvs(hidden=8, channels=16, norm=BatchNorm()),),
    head=PeleeHead(
        channels=16,
        priors=(
            PriorLevel(source=0, smallest=0.1, largest=0.25),
            PriorLevel(source=1, smallest=0.25, largest=0.5),
            PriorLevel(source=2, smallest=0.5, largest=0.9),
        ),
    ),
)


def squares(number: int, *, seed: int = 0) -> list[Sample]:
    """Noise with one or two bright squares (class 0) or dark ones (class 1)."""
    rng = np.random.default_rng(seed)
    samples: list[Sample] = []
    for index in range(number):
        image = rng.integers(100, 156, (3, 64, 64), dtype=np.uint8)
        boxes, labels = [], []
        for _ in range(int(rng.integers(1, 3))):
            x, y = (int(v) for v in rng.integers(0, 40, 2))
            w, h = (int(v) for v in rng.integers(10, 24, 2))
            label = int(rng.integers(2))
            image[:, y : y + h, x : x + w] = (230, 20)[label]
            boxes.append([x, y, x + w, y + h])
            labels.append(label)
        samples.append(
            Sample.of(torch.from_numpy(image), boxes, labels, image_id=f"picture{index}")
        )
    return samples


def write_shapes(folder: Path, *, num_train: int = 24, num_val: int = 12) -> Path:
    samples = squares(num_train + num_val)
    dataset = Dataset(
        classes=ClassList.of(["bright", "dark"]),
        splits={"train": samples[:num_train], "val": samples[num_train:]},
        traits=Traits(),
        root=folder,
        format="coco",
    )
    write_dataset(dataset, folder, "coco")
    return folder


def small_settings(**changes: Any) -> TrainSettings:
    defaults: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 4,
        "learning_rate": 0.005,
        "ema_decay": 0.9,
        "num_workers": 0,
        "augmentation": AugmentSettings(min_box=1.0),
    }
    return TrainSettings(**(defaults | changes))


def small_trial(source: DataSource, config: DetectorConfig = SMALL, **changes: Any) -> Trial:
    return replace(Trial(config=config, source=source, settings=small_settings()), **changes)
