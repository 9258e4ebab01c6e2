"""Differences with a known truth, as comparisons would measure them."""

import numpy as np

from pocketdet.compare.interval import Difference, difference_of


def simulated(
    rng: np.random.Generator,
    *,
    num_seeds: int,
    truth: float = 0.0,
    of_seeds: float = 1.0,
    of_images: float = 0.0,
    num_images: int = 100,
    num_resamples: int = 100,
    level: float = 0.05,
) -> Difference:
    """Draw a seed effect for each seed and an image effect for each image, and measure.

    `of_seeds` is the spread of one seed's difference, `of_images` that of the mean over images.
    """
    seeds = truth + of_seeds * rng.standard_normal(num_seeds)
    images = of_images * np.sqrt(num_images) * rng.standard_normal(num_images)
    weights = rng.multinomial(num_images, [1 / num_images] * num_images, size=num_resamples)
    by_image = weights @ images / num_images
    return difference_of(
        seeds + images.mean(),
        seeds[None, :] + by_image[:, None],
        num_images=num_images,
        level=level,
    )
