"""Pictures with their boxes on them."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
import torch
from torch import Tensor

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.evaluate.colours import BLACK, WHITE, Colour, class_colour, text_colour
from pocketdet.evaluate.tags import place_tags

LEGIBLE_SIDE = 480  # pixels; smaller pictures are enlarged before names are written on them
LARGEST_FACTOR = 3
MANY_TAGS = 15  # from here on they are written smaller, to hide less of the picture


def draw_detections(
    image: Tensor,
    detections: Detections,
    classes: ClassList,
    *,
    truth: Sample | None = None,
    longer_side: int | None = None,
) -> Tensor:
    """Draw boxes with class name and score on a (3, H, W) uint8 RGB picture.

    `truth` adds the labelled boxes as white dashes. The picture is resized so that its longer side
    is `longer_side` pixels; by default small ones are enlarged 2 or 3 times, so that names can
    be read. Gives a new (3, H', W') uint8 RGB picture.
    """
    pixels, scale = _resized(image, longer_side)
    if truth is not None:
        for box in (truth.boxes_xyxy * scale).tolist():
            _dashes(pixels, box, _line_width(pixels))
    texts = [
        f"{classes[label]} {score:.2f}"
        for label, score in zip(detections.labels.tolist(), detections.scores.tolist(), strict=True)
    ]
    return _draw(pixels, detections.boxes_xyxy * scale, detections.labels, texts)


def draw_truth(sample: Sample, classes: ClassList, *, longer_side: int | None = None) -> Tensor:
    """Draw a sample's boxes with their class names; see `draw_detections`."""
    pixels, scale = _resized(sample.image, longer_side)
    texts = [
        classes[label] + " (difficult)" * difficult + " (crowd)" * crowd
        for label, difficult, crowd in zip(
            sample.labels.tolist(),
            sample.difficult.tolist(),
            sample.crowd.tolist(),
            strict=True,
        )
    ]
    return _draw(pixels, sample.boxes_xyxy * scale, sample.labels, texts)


def side_by_side(
    sample: Sample,
    detections: Detections,
    classes: ClassList,
    *,
    longer_side: int | None = None,
) -> Tensor:
    """Draw a sample's boxes on the left and what was detected on the right."""
    left = draw_truth(sample, classes, longer_side=longer_side)
    right = draw_detections(sample.image, detections, classes, longer_side=longer_side)
    gap = torch.full((3, left.shape[1], 6), 255, dtype=torch.uint8)
    return torch.cat([left, gap, right], dim=2)


def _resized(image: Tensor, longer_side: int | None) -> tuple[NDArray[Any], float]:
    height, width = int(image.shape[1]), int(image.shape[2])
    longer = max(height, width)
    if longer_side is None:
        scale = float(min(LARGEST_FACTOR, max(1, -(-LEGIBLE_SIDE // longer))))
    else:
        scale = longer_side / longer
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    if scale == 1:
        return pixels.copy(), scale
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(pixels, size, interpolation=interpolation), scale


def _draw(pixels: NDArray[Any], boxes: Tensor, labels: Tensor, texts: list[str]) -> Tensor:
    """Draw boxes, lowest score first, then tags, highest first in the choice of places."""
    colours = [class_colour(label) for label in labels.tolist()]
    corners = boxes.tolist()
    line_width = _line_width(pixels)
    for box, colour in zip(reversed(corners), reversed(colours), strict=True):
        x1, y1, x2, y2 = (round(value) for value in box)
        cv2.rectangle(pixels, (x1, y1), (x2, y2), BLACK, line_width + 2)
        cv2.rectangle(pixels, (x1, y1), (x2, y2), colour, line_width)
    picture = Image.fromarray(pixels)
    _write_tags(picture, corners, texts, colours)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


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


def _line_width(pixels: NDArray[Any]) -> int:
    return max(2, round(min(pixels.shape[:2]) / 250))


def _dashes(pixels: NDArray[Any], box: list[float], line_width: int) -> None:
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
