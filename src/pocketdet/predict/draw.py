"""Boxes with class name and score on pictures, in NumPy."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pocketdet.conventions.class_list import ClassList
from pocketdet.predict.colours import BLACK, WHITE, Colour, class_colour, text_colour
from pocketdet.predict.tags import place_tags
from pocketdet.runtime.detections import DetectionArrays

LEGIBLE_SIDE = 480  # pixels; smaller pictures are enlarged before names are written on them
LARGEST_FACTOR = 3
MANY_TAGS = 15  # from here on they are written smaller, to hide less of the picture


def draw_found(
    image: NDArray[Any],
    found: DetectionArrays,
    classes: ClassList,
    *,
    longer_side: int | None = None,
) -> NDArray[Any]:
    """Draw boxes with class name and score on (H, W, 3) uint8 RGB pixels; see `resized`."""
    pixels, scale = resized(image, longer_side)
    labels: list[int] = found.labels.tolist()
    texts = detection_texts(labels, found.scores.tolist(), classes)
    return draw_boxes(pixels, found.boxes_xyxy * scale, labels, texts)


def detection_texts(labels: list[int], scores: list[float], classes: ClassList) -> list[str]:
    """Write what stands on the tags."""
    return [f"{classes[label]} {score:.2f}" for label, score in zip(labels, scores, strict=True)]


def resized(image: NDArray[Any], longer_side: int | None) -> tuple[NDArray[Any], float]:
    """Give a copy of (H, W, 3) pixels of the size that is drawn on, and how many times as large.

    Without `longer_side`, small pictures are enlarged 2 or 3 times, so that names can be read.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer_side is None:
        scale = float(min(LARGEST_FACTOR, max(1, -(-LEGIBLE_SIDE // longer))))
    else:
        scale = longer_side / longer
    pixels = np.ascontiguousarray(image)
    if scale == 1:
        return pixels.copy(), scale
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(pixels, size, interpolation=interpolation), scale


def draw_boxes(
    pixels: NDArray[Any], boxes: NDArray[Any], labels: list[int], texts: list[str]
) -> NDArray[Any]:
    """Draw (n, 4) xyxy boxes on (H, W, 3) uint8 RGB pixels, with their texts; gives a new array.

    Boxes, lowest score first, then tags, highest first in the choice of
    places.
    """
    colours = [class_colour(label) for label in labels]
    corners = boxes.tolist()
    line_width = line_width_for(pixels)
    for box, colour in zip(reversed(corners), reversed(colours), strict=True):
        x1, y1, x2, y2 = (round(value) for value in box)
        cv2.rectangle(pixels, (x1, y1), (x2, y2), BLACK, line_width + 2)
        cv2.rectangle(pixels, (x1, y1), (x2, y2), colour, line_width)
    picture = Image.fromarray(pixels)
    _write_tags(picture, corners, texts, colours)
    return np.array(picture)


def _write_tags(
    picture: Image.Image, boxes: list[list[float]], texts: list[str], colours: list[Colour]
) -> None:
    pen = ImageDraw.Draw(picture)
    crowded = len(texts) > MANY_TAGS
    font = ImageFont.load_default(font_size(picture.height, picture.width) - 2 * crowded)
    margin = 2
    extents = [font.getbbox(text) for text in texts]
    line = font.getbbox("Ag|")
    sizes = [(right - left + 2 * margin, line[3] + margin) for left, _, right, _ in extents]
    places = place_tags(
        [(box[0], box[1], box[2], box[3]) for box in boxes],
        sizes,
        height=picture.height,
        width=picture.width,
    )
    for (x, y), (width, height), text, colour in zip(
        reversed(places), reversed(sizes), reversed(texts), reversed(colours), strict=True
    ):
        pen.rectangle((x, y, x + width, y + height), fill=colour)
        pen.text((x + margin, y), text, font=font, fill=text_colour(colour))


def font_size(height: int, width: int) -> int:
    """Choose a size of letters that grows with the picture, in pixels."""
    return max(11, round((height * width) ** 0.5 / 36))


def line_width_for(pixels: NDArray[Any]) -> int:
    """Choose how thick lines are, in pixels."""
    return max(2, round(min(pixels.shape[:2]) / 250))


def draw_dashes(pixels: NDArray[Any], box: list[float], line_width: int) -> None:
    """Draw a box of white dashes on pixels."""
    x1, y1, x2, y2 = box
    dash = 6.0 * line_width
    for start, end in (
        ((x1, y1), (x2, y1)),
        ((x2, y1), (x2, y2)),
        ((x2, y2), (x1, y2)),
        ((x1, y2), (x1, y1)),
    ):
        begin, direction = np.array(start), np.subtract(end, start)
        length = max(float(np.hypot(*direction)), 1e-6)
        for place in np.arange(0.0, length, 2 * dash):
            first = begin + direction * (place / length)
            last = begin + direction * (min(place + dash, length) / length)
            points = [(round(float(x)), round(float(y))) for x, y in (first, last)]
            cv2.line(pixels, points[0], points[1], BLACK, line_width + 2, cv2.LINE_AA)
            cv2.line(pixels, points[0], points[1], WHITE, line_width, cv2.LINE_AA)
