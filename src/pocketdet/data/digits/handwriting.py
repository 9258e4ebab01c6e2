"""Real handwritten digits, as ink of any size.

The pictures are scikit-learn's `load_digits` (Alpaydin and Kaynak 1998): 1,797 digits that people
wrote, 8 x 8 pixels, 17 shades. The file goes through its writers one after the other, so the
last fifth of each class was written by other hands than the rest: that fifth is for validation.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Half = Literal["train", "val"]
Mask = NDArray[np.float32]

DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TRAINING_SHARE = 0.8

CELL = 16  # pixels that one of the 8 x 8 cells becomes before it is brought to its final size
BORDER = 3  # empty cells around a digit, so that turning it cuts nothing off
MAX_ROTATION = 12.0  # degrees
MAX_SHEAR = 0.15
MAX_STRETCH = 1.18


@dataclass(frozen=True, kw_only=True, eq=False)
class Handwriting:
    """The digits that one half of the set may use.

    - `pictures`: (n, 8, 8) float32, ink in [0, 1];
    - `labels`: (n,) int64, the digit;
    - `indices`: (n,) int64, the place in `load_digits`.
    """

    pictures: NDArray[np.float32]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]

    def draw(self, label: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Take one (8, 8) picture of a digit at random."""
        return self.pictures[rng.choice(np.flatnonzero(self.labels == label))]


@cache
def load_handwriting(half: Half) -> Handwriting:
    """Load the digits of one half; no digit is in both."""
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    chosen: list[int] = []
    for digit in range(len(DIGIT_NAMES)):
        places = np.flatnonzero(labels == digit)
        border = round(TRAINING_SHARE * len(places))
        chosen.extend(places[:border] if half == "train" else places[border:])
    indices = np.array(sorted(chosen), dtype=np.int64)
    return Handwriting(
        pictures=(pictures[indices] / 16).reshape(-1, 8, 8).astype(np.float32),
        labels=labels[indices].astype(np.int64),
        indices=indices,
    )


def render_ink(
    picture: NDArray[np.float32], *, longer_side: float, rng: np.random.Generator
) -> Mask:
    """Write a digit anew at a size, a little turned, sheared and stretched.

    Returns alpha (h, w) in [0, 1], cut out around the ink; the longer side of where it is above
    one half is `longer_side` to a pixel.
    """
    cells = np.pad(picture, BORDER)
    large = cv2.resize(cells, None, fx=CELL, fy=CELL, interpolation=cv2.INTER_CUBIC)
    large = cv2.warpAffine(large, _jitter(large.shape[0], rng), large.shape[::-1])
    threshold, softness = rng.uniform(0.37, 0.47), rng.uniform(0.12, 0.35)
    alpha = np.clip((large - threshold) / softness + 0.5, 0, 1).astype(np.float32)

    left, top, right, bottom = ink_box(alpha > 0.5)
    scale = longer_side / max(right - left, bottom - top)
    margin = int(np.ceil(1.5 / scale))  # keeps the soft edge: more than a pixel at the end
    alpha = np.pad(alpha, margin)[top : bottom + 2 * margin, left : right + 2 * margin]
    height, width = (max(1, round(side * scale)) for side in alpha.shape)
    shrinks = scale < 1
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(alpha, (width, height), interpolation=interpolation).astype(np.float32)


def ink_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Give the tight box of a mask: left, top, right, bottom; it must not be empty."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _jitter(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make a (2, 3) affine map about the middle of a square of this size."""
    angle = np.deg2rad(rng.uniform(-MAX_ROTATION, MAX_ROTATION))
    shear = rng.uniform(-MAX_SHEAR, MAX_SHEAR)
    stretch = MAX_STRETCH ** rng.uniform(-1, 1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[1, shear], [0, 1]]) @ np.diag([stretch**0.5, stretch**-0.5])
    centre = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, centre - linear @ centre])
