"""Pictures with their boxes on them."""

from typing import Any

from numpy.typing import NDArray
import torch
from torch import Tensor

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.predict.draw import (
    detection_texts,
    draw_boxes,
    draw_dashes,
    line_width_for,
    resized,
)


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
    pixels, scale = resized(as_pixels(image), longer_side)
    if truth is not None:
        for box in (truth.boxes_xyxy * scale).tolist():
            draw_dashes(pixels, box, line_width_for(pixels))
    labels: list[int] = detections.labels.tolist()
    texts = detection_texts(labels, detections.scores.tolist(), classes)
    boxes = (detections.boxes_xyxy * scale).numpy()
    return as_picture(draw_boxes(pixels, boxes, labels, texts))


def draw_truth(sample: Sample, classes: ClassList, *, longer_side: int | None = None) -> Tensor:
    """Draw a sample's boxes with their class names; see `draw_detections`."""
    pixels, scale = resized(as_pixels(sample.image), longer_side)
    texts = [
        classes[label] + " (difficult)" * difficult + " (crowd)" * crowd
        for label, difficult, crowd in zip(
            sample.labels.tolist(),
            sample.difficult.tolist(),
            sample.crowd.tolist(),
            strict=True,
        )
    ]
    boxes = (sample.boxes_xyxy * scale).numpy()
    return as_picture(draw_boxes(pixels, boxes, sample.labels.tolist(), texts))


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


def as_pixels(image: Tensor) -> NDArray[Any]:
    """Turn a (3, H, W) picture into (H, W, 3) pixels."""
    return image.permute(1, 2, 0).contiguous().numpy()


def as_picture(pixels: NDArray[Any]) -> Tensor:
    """Turn (H, W, 3) pixels into a (3, H, W) picture."""
    return torch.from_numpy(pixels).permute(2, 0, 1)
