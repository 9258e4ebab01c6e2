"""Shapes that are no digits, so that ink alone does not give a digit away.

No closed outline (a zero), no steep bare stroke (a one).
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from pocketdet.data.digits.backgrounds import Canvas
from pocketdet.data.digits.handwriting import Half, Mask, ink_box, load_handwriting, render_ink

Drawer = Callable[[NDArray[np.uint8], np.random.Generator], None]

MAX_SHAPES = 6
SCRAMBLED_SHARE = 0.2


def draw_clutter(canvas: Canvas, *, half: Half, rng: np.random.Generator) -> None:
    """Draw up to `MAX_SHAPES` shapes into a canvas."""
    for _ in range(rng.integers(0, MAX_SHAPES + 1)):
        if rng.random() < SCRAMBLED_SHARE:
            alpha = _scrambled_digit(canvas.shape[:2], half, rng)
        else:
            mask = np.zeros(canvas.shape[:2], np.uint8)
            SHAPES[rng.integers(len(SHAPES))](mask, rng)
            alpha = mask.astype(np.float32) / 255
        colour = rng.uniform(0, 255, 3)
        paint(canvas, alpha * rng.uniform(0.4, 1.0), colour)


def paint(canvas: Canvas, alpha: Mask, colour: NDArray[np.float64]) -> None:
    """Paint a colour into a canvas where alpha (H, W) says so."""
    inside = alpha > 0
    if inside.any():
        left, top, right, bottom = ink_box(inside)
        part = canvas[top:bottom, left:right]
        part += alpha[top:bottom, left:right, None] * (colour.astype(np.float32) - part)


def _scrambled_digit(
    size: tuple[int, ...], half: Half, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Write ink with the strokes of a digit and the shape of none: its quarters change places."""
    picture = load_handwriting(half).draw(int(rng.integers(10)), rng)
    quarters = [picture[:4, :4], picture[:4, 4:], picture[4:, :4], picture[4:, 4:]]
    turned = [np.rot90(quarter, int(rng.integers(1, 4))) for quarter in quarters]
    order = rng.permutation(4)
    mixed = np.block([[turned[order[0]], turned[order[1]]], [turned[order[2]], turned[order[3]]]])
    whole = np.zeros(size, np.float32)
    if not mixed.max() > 0.5:
        return whole
    ink = render_ink(mixed.astype(np.float32), longer_side=rng.uniform(14, 60), rng=rng)
    top = rng.integers(max(1, size[0] - ink.shape[0]))
    left = rng.integers(max(1, size[1] - ink.shape[1]))
    whole[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return whole


def _blob(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    axes = (int(rng.integers(3, 35)), int(rng.integers(3, 35)))
    cv2.ellipse(mask, _point(mask, rng), axes, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)


def _arc(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    axes = (int(rng.integers(8, 45)), int(rng.integers(8, 45)))
    start = rng.uniform(0, 360)
    end = start + rng.uniform(100, 160)
    turn, thickness = rng.uniform(0, 180), int(rng.integers(2, 9))
    cv2.ellipse(mask, _point(mask, rng), axes, turn, start, end, 255, thickness, cv2.LINE_AA)


def _polygon(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    corners = np.array(_point(mask, rng)) + rng.integers(-30, 31, (rng.integers(3, 6), 2))
    cv2.fillPoly(mask, [corners.astype(np.int32)], 255, cv2.LINE_AA)


def _rectangle(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    left, top = _point(mask, rng)
    corner = (left + int(rng.integers(8, 70)), top + int(rng.integers(8, 50)))
    cv2.rectangle(mask, (left, top), corner, 255, -1, cv2.LINE_AA)


def _line(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Draw a straight line that is nearer to level than to upright."""
    angle, length = np.deg2rad(rng.uniform(-40, 40)), rng.uniform(20, 150)
    left, top = _point(mask, rng)
    end = (int(left + length * np.cos(angle)), int(top + length * np.sin(angle)))
    cv2.line(mask, (left, top), end, 255, int(rng.integers(1, 8)), cv2.LINE_AA)


def _zigzag(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    num_corners, step = int(rng.integers(4, 8)), rng.uniform(6, 18)
    heights = rng.uniform(6, 25) * np.where(np.arange(num_corners) % 2, 1, -1)
    corners = np.stack([np.arange(num_corners) * step, heights], axis=1)
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = (corners @ turn.T + _point(mask, rng)).astype(np.int32)
    cv2.polylines(mask, [places], False, 255, int(rng.integers(2, 7)), cv2.LINE_AA)


def _cross(mask: NDArray[np.uint8], rng: np.random.Generator) -> None:
    centre, reach = np.array(_point(mask, rng)), rng.uniform(6, 30)
    angle, thickness = rng.uniform(0, np.pi), int(rng.integers(2, 8))
    for turn in (angle, angle + np.pi / 2):
        arm = (reach * np.array([np.cos(turn), np.sin(turn)])).astype(int)
        first, last = (centre - arm).tolist(), (centre + arm).tolist()
        cv2.line(mask, first, last, 255, thickness, cv2.LINE_AA)


def _point(mask: NDArray[np.uint8], rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(mask.shape[1])), int(rng.integers(mask.shape[0]))


SHAPES: tuple[Drawer, ...] = (_blob, _arc, _polygon, _rectangle, _line, _zigzag, _cross)
