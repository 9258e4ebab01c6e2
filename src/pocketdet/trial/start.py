"""The weights that a trial starts from: equal wherever two configs are equal."""

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor

from pocketdet.conventions import ClassList
from pocketdet.edit.transfer import CARRIED, plan_transfer
from pocketdet.model import Detector, DetectorConfig, build

SURELY = 6.0
"""Standard errors by which two draws must differ to be of different distributions."""


def starting_detector(
    config: DetectorConfig,
    classes: ClassList,
    *,
    seed: int,
    like: tuple[DetectorConfig, ...] = (),
) -> Detector:
    """Build a detector whose random weights are those of `like` wherever a module is equal.

    The first of `like` that has an equal module counts; what none has is drawn from the seed and
    the name of its part. Only what was drawn at random is shared: a scale that a config sets, a
    gate that starts at zero, or another spread of the draws is the config's own.
    """
    detector = build(config, classes=classes, seed=seed)
    others = [other for other in like if other != config]
    if not others:
        return detector
    own = {name: value.clone() for name, value in detector.state_dict().items()}
    drawn = _drawn_at_random(own, build(config, classes=classes, seed=seed + 1).state_dict())
    for other in reversed(others):
        _share(build(other, classes=classes, seed=seed), detector, own=own, drawn=drawn)
    return detector


def _drawn_at_random(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> set[str]:
    return {name for name, value in first.items() if not torch.equal(value, second[name])}


@torch.no_grad()
def _share(
    base: Detector, detector: Detector, *, own: Mapping[str, Tensor], drawn: set[str]
) -> None:
    values, weights = base.state_dict(), detector.state_dict()
    for tensor in plan_transfer(base, detector).tensors:
        if tensor.fate not in CARRIED or tensor.source is None or tensor.name not in drawn:
            continue
        value = values[tensor.source]
        if are_drawn_alike(own[tensor.name], value):
            weights[tensor.name].copy_(value)


def are_drawn_alike(first: Tensor, second: Tensor) -> bool:
    """Say whether two tensors of one shape may be two draws of one distribution.

    Their means and spreads must agree as far as so many numbers can tell.
    """
    if first.numel() < 2:
        return True
    spreads = [float(value.double().std()) for value in (first, second)]
    means = [float(value.double().mean()) for value in (first, second)]
    if min(spreads) == 0:
        return False
    error = sqrt(2 / first.numel())
    spread_ratio = max(spreads) / min(spreads)
    return spread_ratio < 1 + SURELY * error and abs(means[0] - means[1]) < SURELY * error * max(
        spreads
    )
