"""Scenes of the built-in set: handwritten digits on photographs and textures, with clutter."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pocketdet.data.digits.backgrounds import Canvas, draw_background
from pocketdet.data.digits.clutter import draw_clutter, paint
from pocketdet.data.digits.handwriting import Half, Mask, ink_box, load_handwriting, render_ink

HALF_NUMBERS: dict[Half, int] = {"train": 0, "val": 1}
BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
PLACES_TO_TRY = 30
INKS_TO_TRY = 40


@dataclass(frozen=True, kw_only=True)
class SceneSettings:
    """What scenes look like; lengths in pixels.

    - `heights`, `widths`: the least and greatest size of a picture;
    - `max_digits`: a scene has 1 to this many digits;
    - `sizes`, `size_shares`: ranges of a digit's longer side and how often each is drawn;
    - `max_iou`, `max_inside`: how far two boxes may overlap, over their union and over the
      smaller of them;
    - `min_visible`: the share of its ink that a digit shows at least;
    - `paper_share`: how many digits stand on a piece of paper;
    - `min_contrast`: the least difference of brightness between ink and what surrounds it, 0-255.
    """

    heights: tuple[int, int] = (176, 224)
    widths: tuple[int, int] = (208, 256)
    max_digits: int = 7
    sizes: tuple[tuple[float, float], ...] = ((12.5, 24), (24, 90), (90, 119.5))
    size_shares: tuple[float, ...] = (0.12, 0.78, 0.10)
    max_iou: float = 0.3
    max_inside: float = 0.5
    min_visible: float = 0.85
    paper_share: float = 0.3
    min_contrast: float = 55.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A drawn picture and its digits.

    - `image`: (H, W, 3) uint8 RGB;
    - `boxes_xyxy`: (n, 4) float32, tight around `masks`;
    - `labels`: (n,) int64, the digits;
    - `masks`: (n, H, W) bool, the visible ink of each digit.
    """

    image: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: NDArray[np.bool_]


class _Digit(NamedTuple):
    label: int
    alpha: Mask  # (H, W), of the whole scene


def draw_scene(
    index: int, *, half: Half, seed: int, settings: SceneSettings | None = None
) -> Scene:
    """Draw the scene of this number; the same numbers give the same scene."""
    settings = settings or SceneSettings()
    rng = np.random.default_rng([seed, HALF_NUMBERS[half], index])
    while True:
        scene = _draw_once(half, settings, rng)
        if len(scene.labels):
            return scene


def _draw_once(half: Half, settings: SceneSettings, rng: np.random.Generator) -> Scene:
    height = int(rng.integers(*settings.heights, endpoint=True))
    width = int(rng.integers(*settings.widths, endpoint=True))
    canvas = draw_background(height, width, half=half, rng=rng)
    draw_clutter(canvas, half=half, rng=rng)
    digits = _place_digits(height, width, half, settings, rng)
    for digit in digits:
        if rng.random() < settings.paper_share:
            _lay_paper(canvas, digit, rng)
    written: list[_Digit] = []
    for digit in digits:
        colour = _choose_ink(canvas, digit.alpha, settings.min_contrast, rng)
        if colour is not None:
            paint(canvas, digit.alpha * rng.uniform(0.88, 1.0), colour)
            written.append(digit)
    masks = _visible_ink([digit.alpha > 0.5 for digit in written], (height, width))
    return Scene(
        image=_take_photograph(canvas, rng),
        boxes_xyxy=np.array([ink_box(mask) for mask in masks], np.float32).reshape(-1, 4),
        labels=np.array([digit.label for digit in written], np.int64),
        masks=masks,
    )


def _place_digits(
    height: int, width: int, half: Half, settings: SceneSettings, rng: np.random.Generator
) -> list[_Digit]:
    """Place digits from large to small; one that finds no room is left out."""
    handwriting = load_handwriting(half)
    placed: list[_Digit] = []
    for longer_side in _draw_sizes(settings, rng):
        label = int(rng.integers(10))
        ink = render_ink(handwriting.draw(label, rng), longer_side=longer_side, rng=rng)
        for _ in range(PLACES_TO_TRY):
            top = int(rng.integers(height - ink.shape[0] + 1))
            left = int(rng.integers(width - ink.shape[1] + 1))
            alpha = np.zeros((height, width), np.float32)
            alpha[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
            if _has_room([digit.alpha for digit in placed], alpha, settings):
                placed.append(_Digit(label, alpha))
                break
    return placed


def _draw_sizes(settings: SceneSettings, rng: np.random.Generator) -> list[float]:
    num_digits = int(rng.integers(1, settings.max_digits, endpoint=True))
    ranges = rng.choice(len(settings.sizes), num_digits, p=settings.size_shares)
    low, high = np.log(np.array(settings.sizes)[ranges]).T
    return sorted(np.exp(rng.uniform(low, high)).tolist(), reverse=True)


def _has_room(placed: list[Mask], alpha: Mask, settings: SceneSettings) -> bool:
    inks = [other > 0.5 for other in (*placed, alpha)]
    if not all(_overlap_is_small(ink_box(ink), ink_box(inks[-1]), settings) for ink in inks[:-1]):
        return False
    visible = _visible_ink(inks, alpha.shape)
    shares = visible.sum((1, 2)) / np.array([ink.sum() for ink in inks])
    return bool((shares >= settings.min_visible).all())


def _overlap_is_small(
    first: tuple[int, ...], second: tuple[int, ...], settings: SceneSettings
) -> bool:
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    shared = width * height
    iou = shared / (sum(areas) - shared)
    return iou <= settings.max_iou and shared <= settings.max_inside * min(areas)


def _visible_ink(inks: list[NDArray[np.bool_]], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Take from each ink (H, W) what later ones cover; gives (n, H, W)."""
    covered = np.zeros(size, np.bool_)
    visible: list[NDArray[np.bool_]] = []
    for ink in reversed(inks):
        visible.append(ink & ~covered)
        covered |= ink
    return np.array(visible[::-1], np.bool_).reshape(len(inks), *size)


def _lay_paper(canvas: Canvas, digit: _Digit, rng: np.random.Generator) -> None:
    """Lay a turned piece of paper under a digit."""
    left, top, right, bottom = ink_box(digit.alpha > 0.5)
    size = np.array([right - left, bottom - top]) * rng.uniform(1.15, 1.6, 2) + 4
    centre = ((left + right) / 2, (top + bottom) / 2)
    corners = cv2.boxPoints((centre, tuple(size.tolist()), rng.uniform(-15, 15)))
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)
    alpha = mask.astype(np.float32) * np.float32(rng.uniform(0.6, 1.0) / 255)
    paint(canvas, alpha, rng.uniform(0, 255, 3))


def _choose_ink(
    canvas: Canvas, alpha: Mask, min_contrast: float, rng: np.random.Generator
) -> NDArray[np.float64] | None:
    """Choose a colour that stands out from all around the ink, brighter or darker, or none."""
    left, top, right, bottom = ink_box(alpha > 0.5)
    around = slice(max(0, top - 4), bottom + 4), slice(max(0, left - 4), right + 4)
    ink = (alpha[around] > 0.1).astype(np.uint8)
    reach = max(3, (bottom - top) // 12) | 1
    ring = (cv2.dilate(ink, np.ones((reach, reach), np.uint8)) > 0) & (ink == 0)
    low, high = np.percentile((canvas[around] @ BRIGHTNESS)[ring], (8, 92))
    inks = rng.uniform(0, 255, (INKS_TO_TRY, 3))
    brightness = inks @ BRIGHTNESS
    readable = (brightness < low - min_contrast) | (brightness > high + min_contrast)
    return inks[readable.argmax()] if readable.any() else None


def _take_photograph(canvas: Canvas, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur a little, add a little noise, round to uint8."""
    blur, noise = rng.uniform(0, 0.7), rng.uniform(0, 6)
    if blur > 0.3:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur).astype(np.float32)
    grain = rng.standard_normal(canvas.shape, dtype=np.float32)
    return np.clip(np.round(canvas + noise * grain), 0, 255).astype(np.uint8)
