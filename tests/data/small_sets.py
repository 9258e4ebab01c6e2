"""A small healthy data set, written in any format for the tests to spoil."""

from pathlib import Path

import cv2
import numpy as np
import torch

from pocketdet.conventions import ClassList, ImageFile, Sample
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.any_format import write_dataset

CLASSES = ClassList.of(["zebra", "ant", "mole"])
HEIGHT, WIDTH = 48, 64
# Each split's images: boxes as (label, x1, y1, x2, y2).
BOXES = {
    "train": {
        "a": [(0, 4, 5, 20, 25), (1, 30, 10, 60, 40)],
        "b": [(2, 0, 0, 64, 48)],
        "c": [(1, 1.5, 2.25, 9.125, 12)],
    },
    "val": {"d": [(0, 10, 10, 30, 30)], "e": [(2, 3, 4, 33, 44), (1, 5, 5, 15, 15)]},
}


def write_image(path: Path, *, seed: int, height: int = HEIGHT, width: int = WIDTH) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def small_dataset(folder: Path, *, traits: Traits | None = None) -> Dataset:
    """Make the images in `folder`, and the data set in memory."""
    splits: dict[str, list[Sample]] = {}
    for split, images in BOXES.items():
        splits[split] = []
        for name, rows in images.items():
            path = write_image(folder / f"{name}.jpg", seed=ord(name))
            picture = ImageFile(path, HEIGHT, WIDTH)
            boxes = [row[1:] for row in rows]
            labels = [row[0] for row in rows]
            splits[split].append(Sample.of(picture, boxes, labels, image_id=name))
    return Dataset(
        classes=CLASSES, splits=splits, traits=traits or Traits(), root=folder, format="voc"
    )


def healthy(tmp_path: Path, format: str, *, traits: Traits | None = None) -> Path:
    """Write the small set in a format, copied so that a test may spoil it."""
    root = tmp_path / format
    write_dataset(small_dataset(tmp_path / "source", traits=traits), root, format)
    return root


def assert_same_data(first: Dataset, second: Dataset, *, atol: float = 0.01) -> None:
    """Same splits, images by id, classes, labels; boxes to `atol` pixels."""
    assert second.classes == first.classes
    assert second.traits == first.traits
    assert list(second.splits) == list(first.splits)
    for split, samples in first.splits.items():
        others = {sample.image_id: sample for sample in second.splits[split]}
        assert len(others) == len(second.splits[split]) == len(samples)
        for sample in samples:
            other = others[sample.image_id]
            assert other.size == sample.size
            assert torch.equal(other.labels, sample.labels)
            assert torch.allclose(other.boxes_xyxy, sample.boxes_xyxy, rtol=0, atol=atol)
            assert torch.equal(other.image, sample.image)
