"""Mirror left and right."""

from dataclasses import replace

import cv2
import torch

from pocketdet.conventions import Sample


def flipped(sample: Sample) -> Sample:
    """Mirror the picture and its boxes: `x` becomes `width - x`."""
    width = sample.size[1]
    pixels = cv2.flip(sample.image.permute(1, 2, 0).numpy(), 1)
    x1, y1, x2, y2 = sample.boxes_xyxy.unbind(dim=1)
    return replace(
        sample,
        picture=torch.from_numpy(pixels).permute(2, 0, 1),
        boxes_xyxy=torch.stack([width - x2, y1, width - x1, y2], dim=1),
    )
