"""Training augmentation: from a labelled picture of any size to one of the contract's size."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pocketdet.conventions import InputContract, Sample
from pocketdet.conventions.input_contract import Interpolation
from pocketdet.data.augment.crop import contains_centre, cropped
from pocketdet.data.augment.expand import expanded
from pocketdet.data.augment.flip import flipped
from pocketdet.data.augment.photometric import distorted
from pocketdet.data.augment.settings import AugmentSettings
from pocketdet.data.augment.window import View, Window, view
from pocketdet.data.dataset import Traits


@dataclass(frozen=True)
class Augmentation:
    """Pelee's training augmentation, which moves pictures and boxes together.

    Expand, crop, resize, alter colours, mirror: expanding and cropping choose a window, and the
    picture is resized once. Colours are altered after that, where there are fewer pixels; the
    padding keeps its colour. A picture is mirrored only if `traits` and `settings` both allow.
    """

    contract: InputContract
    traits: Traits
    settings: AugmentSettings

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Give a sample of the contract's size, (3, height, width) uint8 RGB.

        Its boxes lie inside the input. A box stays if its centre is seen and both its sides keep
        `min_box` input pixels. All randomness comes from `rng`.
        """
        image = sample.image
        height, width = int(image.shape[1]), int(image.shape[2])
        window = self._window(sample, Window(0, 0, width, height), rng)
        seen = view(window, (height, width), self.contract)
        part = seen.resize(image.permute(1, 2, 0).numpy(), self._interpolation(rng))
        pixels = seen.pad(distorted(part, self.settings, rng))
        picture = torch.from_numpy(pixels).permute(2, 0, 1)
        result = _moved(sample, seen, picture, min_box=self.settings.min_box)
        mirrored = rng.random() < self.settings.flip_probability
        return flipped(result) if mirrored and self.traits.horizontal_flip else result

    def _window(self, sample: Sample, whole: Window, rng: np.random.Generator) -> Window:
        learnt = ~(sample.difficult | sample.crowd)
        boxes_xyxy = sample.boxes_xyxy[learnt].numpy()
        inside = contains_centre(_corners(whole), boxes_xyxy)[0]
        window = expanded(whole, self.settings, rng)
        return cropped(window, boxes_xyxy[inside], self.settings, rng)

    def _interpolation(self, rng: np.random.Generator) -> Interpolation | None:
        names = self.settings.interpolations
        return names[int(rng.integers(len(names)))] if names else None


def _moved(sample: Sample, seen: View, picture: Tensor, *, min_box: float) -> Sample:
    """Move the boxes into the input, cut off at the visible part, and drop those out of view."""
    place = seen.place
    held = contains_centre(_corners(seen.visible), sample.boxes_xyxy.numpy())[0]
    boxes_xyxy = np.clip(
        seen.placement.to_input(sample.boxes_xyxy).numpy(),
        np.array([place.left, place.top] * 2, np.float32),
        np.array([place.right, place.bottom] * 2, np.float32),
    )
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    large = np.all((sides > 0) & (sides >= min_box), axis=1)
    kept = held & large
    chosen = torch.from_numpy(np.flatnonzero(kept))
    return Sample(
        picture=picture,
        boxes_xyxy=torch.from_numpy(boxes_xyxy[kept]),
        labels=sample.labels[chosen],
        difficult=sample.difficult[chosen],
        crowd=sample.crowd[chosen],
        image_id=sample.image_id,
    )


def _corners(window: Window) -> np.ndarray:
    return np.array([[window.left, window.top, window.right, window.bottom]], dtype=np.float64)
