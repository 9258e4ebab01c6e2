"""From trials to AP by seed and by resample, and from these to differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pocketdet.compare.interval import Difference, difference_of
from pocketdet.conventions import ClassList, Sample
from pocketdet.evaluate.resampled import match_images, resampled_ap
from pocketdet.trial import TrialResult

NUM_RESAMPLES = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """One trained detector: AP points (0 to 100) by class and IoU.

    - `table`: (classes, 10) on the images as they are, NaN for a class without a box;
    - `resampled`: (b, classes, 10) on the same resamples for every detector.
    """

    table: NDArray[np.float64]
    resampled: NDArray[np.float64]

    def figures(self) -> dict[str, tuple[float, NDArray[np.float64]]]:
        """Give AP and AP50, and AP of each class by its place, here and on every resample."""
        found = {
            "AP": (_mean(self.table), _mean_each(self.resampled)),
            "AP50": (_mean(self.table[:, :1]), _mean_each(self.resampled[..., :1])),
        }
        for label in range(len(self.table)):
            one = slice(label, label + 1)
            found[str(label)] = (_mean(self.table[one]), _mean_each(self.resampled[:, one]))
        return found


class Measurer:
    """Measures detections against samples, with one fixed set of resamples."""

    def __init__(self, samples: Sequence[Sample], classes: ClassList) -> None:
        self.samples, self.classes = samples, classes
        number = len(samples)
        rng = np.random.default_rng(0)
        self._weights = rng.multinomial(number, np.full(number, 1 / number), size=NUM_RESAMPLES)

    def __call__(self, result: TrialResult) -> Measured:
        matches = match_images(result.detections, self.samples, self.classes)
        whole = np.ones((1, len(self.samples)))
        return Measured(
            table=100 * resampled_ap(matches, whole)[0],
            resampled=100 * resampled_ap(matches, self._weights),
        )


def differences(
    first: Sequence[Measured],
    second: Sequence[Measured],
    classes: ClassList,
    *,
    num_images: int,
    level: float,
) -> dict[str, Difference]:
    """Give second minus first, seed by seed, for AP, AP50 and each class that has a box."""
    pairs = [(b.figures(), a.figures()) for a, b in zip(first, second, strict=True)]
    found: dict[str, Difference] = {}
    for key in pairs[0][0]:
        by_seed = np.array([after[key][0] - before[key][0] for after, before in pairs])
        if np.isnan(by_seed).any():
            continue
        resampled = np.stack([after[key][1] - before[key][1] for after, before in pairs], axis=1)
        name = classes[int(key)] if key.isdigit() else key
        found[name] = difference_of(by_seed, resampled, num_images=num_images, level=level)
    return found


def best_of(
    measured: Mapping[str, Sequence[Measured]], classes: ClassList, *, num_images: int, level: float
) -> str | None:
    """Name the config whose AP is above every other's by an interval that excludes zero.

    `level` is shared by all pairs (Bonferroni), so that the claim is as sure as that of one pair.
    """
    wins: dict[str, int] = dict.fromkeys(measured, 0)
    pairs = list(combinations(measured, 2))
    for first, second in pairs:
        ap = differences(
            measured[first],
            measured[second],
            classes,
            num_images=num_images,
            level=level / len(pairs),
        )["AP"]
        if ap.is_shown:
            wins[second if ap.value > 0 else first] += 1
    return next((name for name, number in wins.items() if number == len(measured) - 1), None)


def _mean(table: NDArray[np.float64]) -> float:
    computed = table[~np.isnan(table)]
    return float(computed.mean()) if computed.size else float("nan")


def _mean_each(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    present = ~np.isnan(tables)
    counts = present.sum(axis=(1, 2))
    total = np.where(present, tables, 0.0).sum(axis=(1, 2))
    return np.divide(total, counts, out=np.full(len(tables), np.nan), where=counts > 0)
