"""The pictures that an export is proven on."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pocketdet.conventions import InputContract, Sample
from pocketdet.data.open import open_dataset

Picture = NDArray[np.uint8]

COUNT = 8


def real_pictures(
    data: str, contract: InputContract, *, split: str = "val", count: int = COUNT
) -> list[Picture]:
    """Give pictures of a data set, evenly spread over a split, fitted to the input."""
    samples: Sequence[Sample] = open_dataset(data).split(split)
    places = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).round())
    images = [samples[int(place)].image.permute(1, 2, 0).numpy() for place in places]
    return [contract.fit_pixels(image)[0] for image in images]


def made_up_pictures(contract: InputContract, *, count: int = COUNT) -> list[Picture]:
    """Draw pictures with structure of several sizes, always the same ones."""
    generator = np.random.default_rng(0)
    size = (contract.width, contract.height)
    pictures: list[Picture] = []
    for _ in range(count):
        layers = [
            cv2.resize(
                generator.normal(size=(cells, cells, 3)), size, interpolation=cv2.INTER_CUBIC
            )
            for cells in (3, 8, 24)
        ]
        pictures.append(np.clip(128 + 45 * sum(layers), 0, 255).astype(np.uint8))
    return pictures
