"""Data that a tiny network learns in forty steps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pocketdet.conventions import ClassList, Sample
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.any_format import write_dataset


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give noise with a bright or a dark square: what a tiny network learns in 40 steps."""
    rng = np.random.default_rng(0)
    classes = ClassList.of(["bright", "dark"])
    splits = {
        name: [_square(rng, f"{name}{number}") for number in range(size)]
        for name, size in (("train", 48), ("val", 24))
    }
    folder = tmp_path_factory.mktemp("squares") / "data"
    dataset = Dataset(classes=classes, splits=splits, traits=Traits(), root=folder, format="coco")
    write_dataset(dataset, folder, "coco")
    return folder


def _square(rng: np.random.Generator, name: str) -> Sample:
    pixels = rng.integers(80, 176, size=(64, 64, 3)).astype(np.uint8)
    side, label = int(rng.integers(20, 40)), int(rng.integers(2))
    left, top = rng.integers(0, 64 - side, size=2).tolist()
    pixels[top : top + side, left : left + side] = 20 if label else 235
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    return Sample.of(image, [[left, top, left + side, top + side]], [label], image_id=name)
