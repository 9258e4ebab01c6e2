"""Channels by what the next layer needs, and next layers that make do with them."""

from dataclasses import dataclass
from typing import Any
import warnings

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor, nn

from pocketdet.compress.channels.readers import reading_convolutions, sampled_inputs
from pocketdet.compress.channels.scores import Magnitude, Scores
from pocketdet.compress.channels.units import ChannelGroups, Group, Unit
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector

RIDGE = 1e-6
"""Of the mean square of the inputs: weights that the samples say nothing of stay as they are."""


@dataclass(frozen=True, kw_only=True)
class Lasso:
    """LASSO channel selection (He et al. 2017, arXiv 1707.06168, equation 2).

    What the convolutions that read a group compute is written as a sum of one term a channel, each
    times a factor; the LASSO path from all factors 0 lets the channels in one after the other. A
    channel's score is the penalty at which it comes in, so that any number of channels left is
    the selection of one penalty. Samples are `places` of each of `num_images` training images.

    A group that no ungrouped convolution reads goes by the norm of its own kernels (`Magnitude`).
    With `reconstruct` of `Prune` this is the paper's method, but for its layers being refitted
    together instead of in turn.
    """

    num_images: int = 32
    places: int = 10

    def scores(self, detector: Detector, groups: ChannelGroups, bench: Workbench) -> Scores:
        readers = reading_convolutions(detector, groups)
        inputs = sampled_inputs(
            detector, readers, bench, num_images=self.num_images, places=self.places
        )
        norms = Magnitude().scores(detector, groups, bench)
        scores: Scores = []
        for done, group in enumerate(groups.groups):
            bench.progress("selecting channels", done, len(groups.groups))
            gram = _gram(group, readers, inputs)
            scores.append(norms[done] if gram is None else _entries(gram))
        return scores


def _gram(
    group: Group, readers: dict[str, nn.Conv2d], inputs: dict[str, Tensor]
) -> NDArray[np.float64] | None:
    """Give (units, units) products of the units' terms, over all readers and samples."""
    total: NDArray[np.float64] | None = None
    for name, axis in group.units[0].slots:
        if axis != 1 or name not in inputs:
            continue
        terms = torch.stack(
            [_term(unit, name, readers[name], inputs[name]) for unit in group.units]
        )
        flat = terms.reshape(len(terms), -1).double()
        gram = (flat @ flat.T).cpu().numpy() / flat.shape[1]
        total = gram if total is None else total + gram
    return total


@torch.no_grad()
def _term(unit: Unit, name: str, reader: nn.Conv2d, inputs: Tensor) -> Tensor:
    """Give (n, out): what a unit's channels add to a reader's outputs."""
    places = unit.slots[name, 1]
    weight = reader.weight[:, places].flatten(1)
    return inputs[:, places].flatten(1) @ weight.T


def _entries(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the penalty at which each unit comes into the LASSO path; later is less."""
    from sklearn.linear_model import lars_path_gram

    path: Any = lars_path_gram
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Terms that are equal, or zero, end the path early.
        penalties, _, factors = path(
            gram.sum(axis=1), gram, n_samples=1, method="lasso", alpha_min=0.0
        )
    comes_in = np.abs(factors) > 0
    first = np.where(comes_in.any(axis=1), penalties[comes_in.argmax(axis=1)], 0.0)
    # What has the same penalty, or never comes in, is told apart by the size of its own term.
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    return first + 1e-9 * size


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Refit the convolutions that lost inputs to what they computed before, by least squares.

    He et al. 2017, equation 3, on the unpruned detector's features at `places` of each of
    `num_images` training images.
    """

    num_images: int = 64
    places: int = 40

    @torch.no_grad()
    def refit(
        self,
        detector: Detector,
        pruned: Detector,
        groups: ChannelGroups,
        removed: list[Unit],
        bench: Workbench,
    ) -> None:
        """Change the weights of `pruned`, which is `detector` without the removed units."""
        readers = reading_convolutions(detector, groups)
        lost = {name: _lost(removed, name, 1) for name in readers}
        readers = {name: module for name, module in readers.items() if lost[name]}
        inputs = sampled_inputs(
            detector, readers, bench, num_images=self.num_images, places=self.places
        )
        for done, (name, values) in enumerate(inputs.items()):
            bench.progress("refitting", done, len(inputs))
            module = readers[name]
            reads = _rest(module.in_channels, lost[name])
            makes = _rest(module.out_channels, _lost(removed, name, 0))
            wanted = values.flatten(1) @ module.weight[makes].flatten(1).T
            given, weight = values[:, reads].flatten(1), pruned.get_parameter(name)
            missing = wanted - given @ weight.flatten(1).T
            weight.add_(_least_squares(given, missing).T.reshape(weight.shape))


def _lost(removed: list[Unit], name: str, axis: int) -> set[int]:
    return {place for unit in removed for place in unit.slots.get((name, axis), [])}


def _rest(number: int, lost: set[int]) -> list[int]:
    return [place for place in range(number) if place not in lost]


def _least_squares(given: Tensor, wanted: Tensor) -> Tensor:
    given, wanted_double = given.double(), wanted.double()
    gram = given.T @ given
    ridge = RIDGE * gram.diagonal().mean().clamp(min=1e-12)
    gram.diagonal().add_(ridge)
    return torch.linalg.solve(gram, given.T @ wanted_double).to(wanted)
