"""Many pictures on one sheet."""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from PIL import Image, ImageDraw, ImageFont
import torch
from torch import Tensor

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.evaluate.draw import draw_detections

GAP = 8
CAPTION_HEIGHT = 18
BACKGROUND = (32, 32, 32)
CAPTION = (230, 230, 230)


def contact_sheet(
    pictures: Sequence[Tensor], captions: Sequence[str], *, columns: int | None = None
) -> Tensor:
    """Lay (3, H, W) uint8 RGB pictures out on a grid, each with a line of text below it.

    Cells are as large as the largest picture. `columns` is by default about as many as rows.
    """
    if not pictures:
        raise ValueError("`pictures` must have at least one picture for a sheet; got none.")
    columns = columns or ceil(sqrt(len(pictures)))
    rows = ceil(len(pictures) / columns)
    height = max(int(picture.shape[1]) for picture in pictures) + CAPTION_HEIGHT + GAP
    width = max(int(picture.shape[2]) for picture in pictures) + GAP
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = GAP + place % columns * width, GAP + place // columns * height
        sheet.paste(Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()), (x, y))
        pen.text((x, y + int(picture.shape[1]) + 2), caption, font=font, fill=CAPTION)
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1)


def example_sheet(
    detections: Sequence[Detections],
    samples: Sequence[Sample],
    classes: ClassList,
    *,
    score: float = 0.3,
    count: int = 12,
) -> Tensor:
    """Draw what was detected in `count` samples, evenly spread over the list.

    What scores at least `score` is drawn in colour, the labelled boxes as white dashes.
    """
    places = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).round())
    chosen = [int(place) for place in places]
    pictures = [
        draw_detections(
            samples[place].image,
            detections[place].to("cpu").above(score),
            classes,
            truth=samples[place],
            longer_side=480,
        )
        for place in chosen
    ]
    captions = [f"{samples[place].image_id}   dashes: labelled" for place in chosen]
    return contact_sheet(pictures, captions)
