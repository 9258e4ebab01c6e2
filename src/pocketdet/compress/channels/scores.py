"""How much a channel matters: one class a criterion."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketdet.compress.channels.units import ChannelGroups, Unit
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.train.criterion import criterion_of

Scores = list[NDArray[np.float64]]
"""For each group one number a unit; NaN where the criterion has nothing to say."""


class ChannelScore(Protocol):
    """A choice of criterion; the channels with the lowest scores go first."""

    def scores(self, detector: Detector, groups: ChannelGroups, bench: Workbench) -> Scores: ...


@dataclass(frozen=True, kw_only=True)
class Magnitude:
    """The norm of the kernels that make a channel (Li et al. 2016, arXiv 1608.08710, L1)."""

    norm: Literal["l1", "l2"] = "l1"

    def scores(self, detector: Detector, groups: ChannelGroups, bench: Workbench) -> Scores:
        power = 1 if self.norm == "l1" else 2
        weights = _kernels(detector)
        return summed_by_unit(
            groups, {name: w.detach().abs() ** power for name, w in weights.items()}
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """Scores that were found before, for a detector that is pruned more than once."""

    entries: Scores

    def scores(self, detector: Detector, groups: ChannelGroups, bench: Workbench) -> Scores:
        return self.entries


@dataclass(frozen=True, kw_only=True)
class BNScale:
    """The absolute scale of the batch norms behind a channel (Liu et al. 2017, arXiv 1708.06519).

    A group without a batch norm is left as it is.
    """

    def scores(self, detector: Detector, groups: ChannelGroups, bench: Workbench) -> Scores:
        scales = {
            f"{name}.weight": module.weight.detach().abs()
            for name, module in detector.named_modules()
            if isinstance(module, nn.BatchNorm2d)
        }
        return summed_by_unit(groups, scales)


@dataclass(frozen=True, kw_only=True)
class Taylor:
    """The square of the loss's change without a channel, to first order (1906.10771, equation 8).

    |Σ gradient · weight| over the kernels and norms that make the channel, squared and summed over
    `num_batches` batches of `batch_size` training images, by the detector's own loss (Molchanov et
    al. 2019).
    """

    num_batches: int = 8
    batch_size: int = 8

    def scores(self, detector: Detector, groups: ChannelGroups, bench: Workbench) -> Scores:
        number = self.num_batches * self.batch_size
        batches = bench.calibration_batches(detector, number, batch_size=self.batch_size)
        criterion = criterion_of(detector)
        totals: Scores = [np.zeros(len(group)) for group in groups.groups]
        with evaluation_mode(detector):
            for done, batch in enumerate(batches):
                bench.progress("scoring channels", done, len(batches))
                targets = criterion.targets(batch)
                terms = criterion(detector(detector.preprocess(batch.images)), targets)
                detector.zero_grad(set_to_none=True)
                (terms.total() / terms.divisor.sum().clamp(min=1)).backward()
                for total, change in zip(totals, _changes(detector, groups), strict=True):
                    total += change**2
        detector.zero_grad(set_to_none=True)
        return totals


def _changes(detector: Detector, groups: ChannelGroups) -> Scores:
    changes = {
        name: parameter.detach() * parameter.grad
        for name, parameter in detector.named_parameters()
        if parameter.grad is not None
    }
    return summed_by_unit(groups, changes)


def _kernels(detector: Detector) -> dict[str, Tensor]:
    return {name: p for name, p in detector.named_parameters() if p.dim() > 1}


def summed_by_unit(groups: ChannelGroups, values: dict[str, Tensor]) -> Scores:
    """Add up each unit's values along the axes on which it is made (the first of a tensor)."""
    along = {
        name: value.reshape(len(value), -1).sum(dim=1).double().cpu().numpy()
        for name, value in values.items()
    }
    return [np.array([_of_unit(unit, along) for unit in group.units]) for group in groups.groups]


def _of_unit(unit: Unit, along: dict[str, NDArray[np.float64]]) -> float:
    own = [along[name][places] for (name, axis), places in unit.slots.items()
           if axis == 0 and name in along]  # fmt: skip
    return float(sum(part.sum() for part in own)) if own else nan


def relative(scores: Scores) -> Scores:
    """Divide by each group's mean, so that groups of different layers can be ranked together."""
    return [_relative(own) for own in scores]


def _relative(own: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = own.mean()
    return own / mean if mean > 0 else np.ones_like(own) if mean == 0 else own


def lowest(units: Sequence[Unit], scores: NDArray[np.float64], number: int) -> list[Unit]:
    """Give so many units with the lowest scores; of equal ones the last."""
    order = np.lexsort((-np.arange(len(units)), scores))
    return [units[int(place)] for place in order[:number]]
