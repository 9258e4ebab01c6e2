"""Pictures of the first training batches, exactly as the network sees them.

They are made from the network's input itself, turned back into colours by the inverse of the
input contract, with the boxes in input pixels. A preprocessing that departs from the contract
shows as wrong colours, a wrong augmentation as boxes beside their objects.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from pocketdet.conventions import ClassList, InputContract
from pocketdet.data.loading.batch import Batch
from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.events import BatchSeen, Event
from pocketdet.train.run_folder import RunFolder

NUM_PICTURES = 3
MOST_IMAGES = 16
GAP = 4
COLOURS = (
    (230, 25, 75), (60, 180, 75), (0, 130, 200), (245, 130, 48), (145, 30, 180), (70, 240, 240),
    (240, 50, 230), (210, 245, 60), (250, 190, 212), (0, 128, 128),
)  # fmt: skip


class BatchPictures:
    """Watches a run and draws the batches of its first steps."""

    def __init__(self, folder: RunFolder, contract: InputContract, classes: ClassList) -> None:
        self._folder, self._contract, self._classes = folder, contract, classes

    def __call__(self, event: Event) -> None:
        if not isinstance(event, BatchSeen) or event.step >= NUM_PICTURES:
            return
        path = self._folder.batch_picture(event.step)
        if path.exists():
            return
        colours = denormalise(event.images[:MOST_IMAGES], self._contract)
        picture = draw_batch(colours, event.batch, self._classes)
        _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        write_atomically(path, lambda file: file.write(png.tobytes()))


def denormalise(images: Tensor, contract: InputContract) -> Tensor:
    """Turn network input (b, 3, H, W) back into uint8 RGB: the contract read backwards."""
    mean = torch.tensor(contract.mean, device=images.device).reshape(3, 1, 1)
    scale = torch.tensor(contract.scale, device=images.device).reshape(3, 1, 1)
    colours = images.detach().float() / scale + mean
    if contract.channel_order == "BGR":
        colours = colours.flip(-3)
    return colours.round().clamp(0, 255).to(torch.uint8).cpu()


def draw_batch(images: Tensor, batch: Batch, classes: ClassList) -> NDArray[Any]:
    """Draw (b, 3, H, W) uint8 RGB images with the batch's boxes as one (H', W', 3) grid."""
    num, _, height, width = images.shape
    num_columns = math.ceil(math.sqrt(num))
    num_rows = math.ceil(num / num_columns)
    grid = np.full(
        (num_rows * (height + GAP) + GAP, num_columns * (width + GAP) + GAP, 3), 255, np.uint8
    )
    for place, image in enumerate(images):
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        _draw_boxes(pixels, batch.boxes_xyxy[place], batch.labels[place], classes)
        row, column = divmod(place, num_columns)
        top, left = row * (height + GAP) + GAP, column * (width + GAP) + GAP
        grid[top : top + height, left : left + width] = pixels
    return grid


def _draw_boxes(
    pixels: NDArray[Any], boxes_xyxy: Tensor, labels: Tensor, classes: ClassList
) -> None:
    for box, label in zip(boxes_xyxy.tolist(), labels.tolist(), strict=True):
        left, top, right, bottom = (round(edge) for edge in box)
        colour = COLOURS[label % len(COLOURS)]
        cv2.rectangle(pixels, (left, top), (right - 1, bottom - 1), colour, 1)
        origin = (left + 1, max(top - 2, 8))
        cv2.putText(
            pixels, classes[label], origin, cv2.FONT_HERSHEY_SIMPLEX, 0.3, colour, 1, cv2.LINE_AA
        )  # fmt: skip
