"""Zoom out: lay the picture on a larger canvas, which makes its objects smaller."""

import numpy as np

from pocketdet.data.augment.settings import AugmentSettings
from pocketdet.data.augment.window import Window


def expanded(window: Window, settings: AugmentSettings, rng: np.random.Generator) -> Window:
    """Draw a window that holds the given one at a random place (SSD's "zoom out").

    Its sides are `uniform(1, expand_max)` times as long, with `expand_probability`.
    """
    if rng.random() >= settings.expand_probability:
        return window
    ratio = rng.uniform(1.0, settings.expand_max)
    height, width = round(window.height * ratio), round(window.width * ratio)
    left = window.left - int(rng.integers(width - window.width + 1))
    top = window.top - int(rng.integers(height - window.height + 1))
    return Window(left, top, left + width, top + height)
