"""Files that people look at, written whole or not at all."""

from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

JPEG_QUALITY = 92


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside `path` and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def write_pixels(path: Path, pixels: NDArray[Any]) -> None:
    """Write (H, W, 3) uint8 RGB pixels; the name's end (.jpg, .png) chooses the format."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    _, encoded = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    write_bytes(path, encoded.tobytes())
