"""From the bytes of an image file to pixels."""

from pathlib import Path

import cv2
import numpy as np
import simplejpeg


class UnreadableImage(ValueError):
    """A file that is missing, truncated, or no image."""


def read_rgb(path: Path) -> np.ndarray:
    """Decode an image to (height, width, 3) uint8 RGB; raises `UnreadableImage`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror}.") from error
    return decode_rgb(data, name=str(path))


def decode_rgb(data: bytes, *, name: str) -> np.ndarray:
    """Decode the bytes of an image file to (height, width, 3) uint8 RGB."""
    if simplejpeg.is_jpeg(data):
        try:
            return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
        except ValueError as error:
            if "colorspace" not in str(error).lower():
                raise UnreadableImage(f"{name} is a damaged JPEG: {error}.") from error
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise UnreadableImage(f"{name} is damaged or no image ({len(data)} bytes).")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
