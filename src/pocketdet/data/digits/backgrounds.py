"""What lies behind the digits: crops of photographs, or textures of two colours."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pocketdet.data.digits.handwriting import Half

Canvas = NDArray[np.float32]  # (height, width, 3) RGB on the 0-255 scale
Field = NDArray[np.float32]  # (height, width) in [0, 1]
Drawer = Callable[[int, int, np.random.Generator], Field]

PHOTOGRAPH_SHARE = 0.5


def draw_background(height: int, width: int, *, half: Half, rng: np.random.Generator) -> Canvas:
    """Draw a background of this size; the halves share no part of a photograph."""
    if rng.random() < PHOTOGRAPH_SHARE:
        canvas = _photograph_crop(height, width, half, rng)
    else:
        canvas = _texture(height, width, rng)
    return _change_light(canvas, rng)


def _change_light(canvas: Canvas, rng: np.random.Generator) -> Canvas:
    contrast, middle = rng.uniform(0.35, 1.0), canvas.mean()
    brightness = rng.uniform(-45, 45)
    return np.clip((canvas - middle) * contrast + middle + brightness, 0, 255)


@cache
def _photographs() -> tuple[NDArray[np.uint8], ...]:
    from sklearn.datasets import load_sample_images

    return tuple(load_sample_images()["images"])


def _photograph_crop(height: int, width: int, half: Half, rng: np.random.Generator) -> Canvas:
    photographs = _photographs()
    whole = photographs[rng.integers(len(photographs))]
    middle = whole.shape[1] // 2
    photograph = whole[:, :middle] if half == "train" else whole[:, middle:]
    largest = min(photograph.shape[0] / height, photograph.shape[1] / width)
    scale = largest * rng.uniform(0.3, 1.0)
    crop_height, crop_width = int(height * scale), int(width * scale)
    top = rng.integers(photograph.shape[0] - crop_height + 1)
    left = rng.integers(photograph.shape[1] - crop_width + 1)
    crop = photograph[top : top + crop_height, left : left + crop_width]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    crop = crop[..., rng.permutation(3)]  # other colours, same shapes
    resized = cv2.resize(np.ascontiguousarray(crop), (width, height))
    return resized.astype(np.float32)


def _texture(height: int, width: int, rng: np.random.Generator) -> Canvas:
    field = FIELDS[rng.integers(len(FIELDS))](height, width, rng)
    first = rng.uniform(20, 235, 3)
    second = np.clip(first + rng.uniform(-90, 90, 3), 0, 255)
    return (first + field[..., None] * (second - first)).astype(np.float32)


def _plain(height: int, width: int, rng: np.random.Generator) -> Field:
    return np.zeros((height, width), np.float32)


def _gradient(height: int, width: int, rng: np.random.Generator) -> Field:
    slope = _along(height, width, rng)
    return (slope - slope.min()) / np.ptp(slope)


def _stripes(height: int, width: int, rng: np.random.Generator) -> Field:
    wave = np.sin(_along(height, width, rng) * 2 * np.pi / rng.uniform(6, 50))
    sharpness = rng.uniform(0.5, 6)
    return np.clip(wave * sharpness / 2 + 0.5, 0, 1).astype(np.float32)


def _checker(height: int, width: int, rng: np.random.Generator) -> Field:
    side = rng.uniform(6, 45)
    down, across = np.mgrid[:height, :width] // side
    return ((down + across) % 2).astype(np.float32)


def _rings(height: int, width: int, rng: np.random.Generator) -> Field:
    down, across = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(down - rng.uniform(-height, 0), across - rng.uniform(0, width))
    wave = np.sin(distance * 2 * np.pi / rng.uniform(12, 60))
    return np.asarray(wave / 2 + 0.5, np.float32)


def _grain(height: int, width: int, rng: np.random.Generator) -> Field:
    return rng.random((height, width), dtype=np.float32)


def _clouds(height: int, width: int, rng: np.random.Generator) -> Field:
    """Add smoothed noise of several scales."""
    total = np.zeros((height, width), np.float32)
    for cells, weight in ((3, 1.0), (7, 0.6), (17, rng.uniform(0, 0.5))):
        noise = rng.random((cells, cells), dtype=np.float32)
        total += weight * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return (total - total.min()) / np.ptp(total)


def _along(height: int, width: int, rng: np.random.Generator) -> Field:
    """Give each pixel's way along a random direction."""
    angle = rng.uniform(0, np.pi)
    down, across = np.mgrid[:height, :width].astype(np.float32)
    return (np.cos(angle) * across + np.sin(angle) * down).astype(np.float32)


FIELDS: tuple[Drawer, ...] = (
    _plain,
    _gradient,
    _stripes,
    _checker,
    _rings,
    _grain,
    _clouds,
    _clouds,  # twice: the most like real surfaces
)
