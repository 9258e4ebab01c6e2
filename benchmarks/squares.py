"""Pictures of noise with bright or dark squares: what a tiny detector learns in seconds."""

from pathlib import Path

import numpy as np
import torch

from pocketdet.conventions import ClassList, Sample
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.any_format import write_dataset

SIDE = 64


def write_squares(
    folder: Path, *, num_train: int, num_val: int, most: int = 2, sides: tuple[int, int] = (10, 24)
) -> None:
    """Write a COCO folder with the classes bright and dark; up to `most` of them a picture."""
    rng = np.random.default_rng(0)
    samples = [_picture(rng, index, most, sides) for index in range(num_train + num_val)]
    dataset = Dataset(
        classes=ClassList.of(["bright", "dark"]),
        splits={"train": samples[:num_train], "val": samples[num_train:]},
        traits=Traits(),
        root=folder,
        format="coco",
    )
    write_dataset(dataset, folder, "coco")


def _picture(rng: np.random.Generator, index: int, most: int, sides: tuple[int, int]) -> Sample:
    image = rng.integers(100, 156, (3, SIDE, SIDE), dtype=np.uint8)
    boxes, labels = [], []
    for _ in range(int(rng.integers(1, most + 1))):
        x, y = (int(v) for v in rng.integers(0, SIDE - sides[1], 2))
        w, h = (int(v) for v in rng.integers(*sides, 2))
        labels.append(int(rng.integers(2)))
        image[:, y : y + h, x : x + w] = (230, 20)[labels[-1]]
        boxes.append([x, y, x + w, y + h])
    return Sample.of(torch.from_numpy(image), boxes, labels, image_id=f"picture{index}")
