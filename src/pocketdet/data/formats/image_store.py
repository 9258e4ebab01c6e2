"""Place images in a folder that is being written, each under a name of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
import filecmp
import os
from pathlib import Path
import shutil

import cv2
import torch

from pocketdet.conventions import ImageFile, Sample
from pocketdet.data.formats.losses import Losses

UNSAFE = str.maketrans(dict.fromkeys('/\\\r\n\0<>:"|?*', "_"))
IMAGE_IS_MISSING = "images are missing or empty and were left out with their annotations"
CLOSE_PIXELS = 0.01


@dataclass(frozen=True)
class Placed:
    """A sample and the name of its image in the new folder."""

    file_name: str
    sample: Sample

    @property
    def stem(self) -> str:
        return Path(self.file_name).stem


class ImageStore:
    """Names and places the images of one folder; no two have the same name without suffix."""

    def __init__(self, folder: Path, losses: Losses) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.losses = losses
        self.taken: dict[str, Placed] = {}

    def place(self, sample: Sample, *, prefix: str = "") -> Placed | None:
        """Link, copy or encode the sample's image; None, and a loss, when there is none.

        A sample that is there already (same name, same content) is not placed twice.
        """
        picture = sample.picture
        if 0 in sample.size or (isinstance(picture, ImageFile) and not picture.path.is_file()):
            self.losses.add(IMAGE_IS_MISSING, 1)
            return None
        suffix = picture.path.suffix if isinstance(picture, ImageFile) else ".png"
        for stem in _stems(sample, prefix):
            earlier = self.taken.get(stem.casefold())
            if earlier is None:
                placed = Placed(stem + suffix, sample)
                self.taken[stem.casefold()] = placed
                _put(sample, self.folder / placed.file_name)
                return placed
            if _same(earlier.sample, sample):
                return earlier
        raise AssertionError("the stems are endless")


def _stems(sample: Sample, prefix: str) -> Iterator[str]:
    stem = sample.image_id.translate(UNSAFE).strip(" .") or "image"
    yield stem
    if prefix:
        yield f"{prefix}_{stem}"
    number = 2
    while True:
        yield f"{stem}_{number}"
        number += 1


def _put(sample: Sample, path: Path) -> None:
    if not isinstance(sample.picture, ImageFile):
        pixels = cv2.cvtColor(sample.picture.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        return
    source = sample.picture.path.resolve()
    try:
        os.link(source, path)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, path)


def _same(first: Sample, second: Sample) -> bool:
    if first is second:
        return True
    one, other = first.picture, second.picture
    if not (isinstance(one, ImageFile) and isinstance(other, ImageFile)):
        return False
    return (
        first.boxes_xyxy.shape == second.boxes_xyxy.shape
        and torch.equal(first.labels, second.labels)
        and torch.equal(first.difficult, second.difficult)
        and torch.allclose(
            first.boxes_xyxy, second.boxes_xyxy, rtol=0, atol=CLOSE_PIXELS, equal_nan=True
        )
        and filecmp.cmp(one.path, other.path, shallow=False)
    )
