"""Examine image files: decode each to its end, and compare their contents."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
import hashlib
import io
import os
from pathlib import Path

from pocketdet.conventions import UnreadableImage
from pocketdet.conventions.image_decoding import decode_rgb
from pocketdet.data.formats.image_header import parse_header
from pocketdet.data.progress import Progress, track


@dataclass(frozen=True, kw_only=True)
class ImageReport:
    """What one image file turned out to be.

    - `digest`: of its bytes, "" when there are none; `orientation`: EXIF's, 1 when upright;
    - `size`: decoded height and width, None when it does not decode, for `reason`.
    """

    path: Path
    exists: bool
    digest: str = ""
    orientation: int = 1
    size: tuple[int, int] | None = None
    reason: str = ""


def examine_images(paths: Sequence[Path], progress: Progress) -> Iterator[ImageReport]:
    """Read and decode every image, in the order given, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = pool.map(_examine, paths)
        for _ in track(paths, "decoding images", progress):
            yield next(reports)


def _examine(path: Path) -> ImageReport:
    if not path.is_file():
        return ImageReport(path=path, exists=False)
    try:
        data = path.read_bytes()
    except OSError as error:
        return ImageReport(path=path, exists=True, reason=str(error.strerror))
    digest = hashlib.blake2b(data, digest_size=16).hexdigest() if data else ""
    header = parse_header(io.BytesIO(data))
    orientation = 1 if header is None else header.orientation
    try:
        height, width = decode_rgb(data, name=path.name).shape[:2]
    except UnreadableImage as error:
        return ImageReport(
            path=path, exists=True, digest=digest, orientation=orientation, reason=str(error)
        )
    return ImageReport(
        path=path, exists=True, digest=digest, orientation=orientation, size=(height, width)
    )
