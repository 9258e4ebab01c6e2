"""The interval of a difference that was measured with few seeds on some images.

Two things make a measured difference uncertain. Training it again with another seed gives another
number: with 2 to 5 seeds a bootstrap over them is too narrow, so this part is the variance over
seeds with k - 1 degrees of freedom. Another set of images would give another number: this part is a
bootstrap over images, the same resample for both configs and all seeds. How images and
seeds interact is in both, so it is taken out of the second. The two half-widths, each with its own
t quantile, are added as squares. (Welch's and Satterthwaite's degrees of freedom would be too many
where two seeds happen to agree.)
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

MOST_SEEDS = 1000
POWER = 0.8


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference and how sure it is, in the unit that the measurements have.

    - `value`: the mean over seeds; `low`, `high`: its interval;
    - `seed_variance`: of one seed's difference; `image_variance`: of the mean over all seeds;
    - `num_seeds`, `level`: 1 - `level` is how often the interval holds the truth.
    """

    value: float
    low: float
    high: float
    seed_variance: float
    image_variance: float
    num_seeds: int
    num_images: int
    level: float

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.low > 0 or self.high < 0

    @property
    def standard_error(self) -> float:
        return sqrt(self.seed_variance / self.num_seeds + self.image_variance)

    def half_width_at(self, seeds: int, *, level: float) -> float:
        """Give half the interval that so many seeds would have, with the spread of these."""
        of_seeds = self.seed_variance / seeds
        return _half_width(of_seeds, seeds, self.image_variance, self.num_images, level / 2)

    def seeds_to_settle(self, size: float, *, level: float = 0.05) -> int | None:
        """Give how many seeds in all find a true difference of this size four times in five.

        None where no number of seeds does, because the images are too few.
        """
        for seeds in range(2, MOST_SEEDS + 1):
            reach = self.half_width_at(seeds, level=level)
            reach += self.half_width_at(seeds, level=2 * (1 - POWER))
            if reach <= size:
                return seeds
        return None


def difference_of(
    by_seed: NDArray[np.float64],
    resampled: NDArray[np.float64],
    *,
    num_images: int,
    level: float = 0.05,
) -> Difference:
    """Give the difference with its interval.

    - `by_seed`: (k,) differences on the images as they are, k at least 2;
    - `resampled`: (b, k) the same on b resamples of the images.

    Seeds or resamples in which there was nothing to score are left out.
    """
    valid = resampled[~np.isnan(resampled).any(axis=1)]
    seeds = len(by_seed)
    value = float(np.mean(by_seed))
    seed_variance = float(np.var(by_seed, ddof=1))
    image_variance = _image_variance(valid) if len(valid) > 1 else 0.0
    image_variance *= num_images / max(1, num_images - 1)  # A resample varies less than a sample.
    half = _half_width(seed_variance / seeds, seeds, image_variance, num_images, level / 2)
    return Difference(
        value=value,
        low=value - half,
        high=value + half,
        seed_variance=seed_variance,
        image_variance=image_variance,
        num_seeds=seeds,
        num_images=num_images,
        level=level,
    )


def _image_variance(resampled: NDArray[np.float64]) -> float:
    """Give the variance over images of the mean over seeds, without what differs by seed."""
    seeds = resampled.shape[1]
    of_mean = float(np.var(resampled.mean(axis=1), ddof=1))
    of_one = float(np.mean(np.var(resampled, axis=0, ddof=1)))
    interaction = max(0.0, (of_one - of_mean) / (1 - 1 / seeds))
    return max(0.0, of_mean - interaction / seeds)


def _half_width(of_seeds: float, seeds: int, of_images: float, images: int, tail: float) -> float:
    """Reach from the middle to where one `tail` begins."""
    by_seeds = float(student.isf(tail, seeds - 1)) ** 2 * of_seeds
    by_images = float(student.isf(tail, max(1, images - 1))) ** 2 * of_images
    return sqrt(by_seeds + by_images)
