"""Decoded pictures in one memory-mapped file, no larger than training needs."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
import hashlib
import json
from pathlib import Path
import shutil

import cv2
import numpy as np
import torch

from pocketdet.conventions import ImageFile, InputContract, Placement, Sample
from pocketdet.data.progress import Progress, silent, track
from pocketdet.data.whole_folder import whole_folder

LAYOUT = 1
PIXELS, INDEX = "pixels.u8", "index.json"
PICTURES_AT_ONCE = 64


@dataclass(frozen=True)
class Entry:
    """Where a picture lies in the file of pixels, and its size there."""

    offset: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class ImageCache:
    """Pictures by path, resized; made by `cached_images`, shared read-only by all workers."""

    folder: Path
    entries: dict[str, Entry]

    def load(self, sample: Sample) -> Sample:
        """Give the sample with its stored picture and with boxes that fit it.

        A picture that is already in memory, or is not in the cache, is left as it is.
        """
        picture = sample.picture
        if not isinstance(picture, ImageFile) or str(picture.path) not in self.entries:
            return sample
        entry = self.entries[str(picture.path)]
        length = entry.height * entry.width * 3
        pixels = _pixels(self.folder / PIXELS)[entry.offset : entry.offset + length]
        image = torch.from_numpy(pixels.reshape(entry.height, entry.width, 3))
        placement = Placement(entry.width / picture.width, entry.height / picture.height)
        return replace(
            sample,
            picture=image.permute(2, 0, 1),
            boxes_xyxy=placement.to_input(sample.boxes_xyxy),
        )


def cached_images(
    samples: Sequence[Sample],
    contract: InputContract,
    folder: Path,
    *,
    reach: float = 1.5,
    progress: Progress = silent,
) -> ImageCache:
    """Decode all pictures once, or find them as they were stored before.

    A picture is shrunk, never enlarged, until its sides are `reach` times the contract's, so
    that crops of it stay sharp. What is stored is known by path, size and time of change of the
    files and by the contract's size; when one of them changes, it is made anew.
    The cache appears in `folder` whole or not at all. Raises `UnreadableImage` for a
    file that cannot be decoded, `OSError` where the disk has no room.
    """
    pictures = list(dict.fromkeys(_image_files(samples)))
    place = folder / f"images-{_key(pictures, contract, reach)}"
    if not (place / INDEX).is_file():
        try:
            _make(place, pictures, contract, reach=reach, progress=progress)
        except OSError:
            if not (place / INDEX).is_file():  # Else another process was faster, and it is there.
                raise
    stored = json.loads((place / INDEX).read_text(encoding="utf-8"))
    return ImageCache(folder=place, entries={path: Entry(*entry) for path, entry in stored.items()})


def stored_size(
    height: int, width: int, contract: InputContract, *, reach: float
) -> tuple[int, int]:
    """Give the height and width that a picture is stored at, its aspect kept."""
    shrink = max(contract.height * reach / height, contract.width * reach / width)
    if shrink >= 1:
        return height, width
    return max(1, round(height * shrink)), max(1, round(width * shrink))


@lru_cache(maxsize=8)
def _pixels(path: Path) -> np.ndarray:
    # Mapped once a process. Copy-on-write: torch wants memory that may be written, and
    # whatever is written never reaches the file.
    return np.memmap(path, dtype=np.uint8, mode="c")


def _image_files(samples: Iterable[Sample]) -> Iterator[ImageFile]:
    for sample in samples:
        if isinstance(sample.picture, ImageFile):
            yield sample.picture


def _key(pictures: Sequence[ImageFile], contract: InputContract, reach: float) -> str:
    sign = hashlib.sha256()
    sign.update(f"{LAYOUT} {contract.height} {contract.width} {reach}".encode())
    for picture in pictures:
        state = picture.path.stat() if picture.path.exists() else None
        changed = (state.st_mtime_ns, state.st_size) if state else None
        sign.update(f"\n{picture.path.absolute()} {picture.path} {changed}".encode())
    return sign.hexdigest()[:16]


def _make(
    place: Path,
    pictures: Sequence[ImageFile],
    contract: InputContract,
    *,
    reach: float,
    progress: Progress,
) -> None:
    sizes = [
        stored_size(picture.height, picture.width, contract, reach=reach) for picture in pictures
    ]
    _check_room(place.parent, sum(height * width * 3 for height, width in sizes))
    entries: dict[str, tuple[int, int, int]] = {}
    with whole_folder(place) as partial:
        with (partial / PIXELS).open("wb") as file:
            decoded = _decoded(pictures, sizes)
            for picture in track(pictures, "decoding images", progress):
                pixels = next(decoded)
                entries[str(picture.path)] = (file.tell(), *pixels.shape[:2])
                file.write(pixels.tobytes())
            file.write(b"\0")  # An empty file cannot be mapped.
        (partial / INDEX).write_text(json.dumps(entries), encoding="utf-8")


def _decoded(
    pictures: Sequence[ImageFile], sizes: Sequence[tuple[int, int]]
) -> Iterator[np.ndarray]:
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            part = slice(start, start + PICTURES_AT_ONCE)
            yield from pool.map(_shrunk, pictures[part], sizes[part])


def _shrunk(picture: ImageFile, size: tuple[int, int]) -> np.ndarray:
    pixels = picture.read().permute(1, 2, 0).numpy()
    if pixels.shape[:2] == size:
        return pixels
    return cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _check_room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"the image cache needs {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB "
            "free; name another folder or train without a cache."
        )
