"""Which sample comes when, and the random numbers that go with it.

Everything here is a pure function of the seed, the epoch and the sample, so that neither the
number of workers nor of processes, nor a resumed training, changes what the network sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import NamedTuple

import numpy as np


class Draw(NamedTuple):
    """One use of a sample, by its place; `repeat` counts its earlier uses in the epoch."""

    epoch: int
    sample: int
    repeat: int = 0


@dataclass(frozen=True, kw_only=True)
class EpochOrder:
    """The order of `num_samples` samples, anew in each epoch, in global batches.

    An epoch has `num_samples // batch_size` steps; the samples that are left over, others in
    each epoch, are left out, so that batches are all of one size. With fewer samples than one
    batch, the epoch is one step and samples repeat, with other random numbers each time.

    - `batch_size`: of the global batch, over all processes; `world_size` must divide it;
    - `rank`: this process takes the contiguous slice `rank` of each global batch.
    """

    num_samples: int
    batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise ValueError("There must be at least one sample to train on; got none.")
        if self.seed < 0:
            raise ValueError(f"`seed` must not be negative; got {self.seed}.")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(
                f"`rank` must be at least 0 and below `world_size`; got {self.rank} of "
                f"{self.world_size}."
            )
        if self.batch_size < 1 or self.batch_size % self.world_size:
            nearest = max(1, round(self.batch_size / self.world_size)) * self.world_size
            raise ValueError(
                f"`batch_size` must be a multiple of the {self.world_size} process(es); got "
                f"{self.batch_size}, the nearest is {nearest}."
            )

    @property
    def num_steps(self) -> int:
        """Batches in an epoch, the same for every rank."""
        return max(1, self.num_samples // self.batch_size)

    def batches(self, epoch: int) -> Iterator[list[Draw]]:
        """Give this rank's part of each batch of an epoch."""
        draws = self._draws(epoch)
        share = self.batch_size // self.world_size
        for step in range(self.num_steps):
            start = step * self.batch_size + self.rank * share
            yield draws[start : start + share]

    def stream(self, epoch: int) -> Iterator[list[Draw]]:
        """Give the batches of this epoch and of all that follow, without end."""
        for number in count(epoch):
            yield from self.batches(number)

    def _draws(self, epoch: int) -> list[Draw]:
        order = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(epoch,)))
        indices = order.permutation(self.num_samples)
        needed = self.num_steps * self.batch_size
        return [
            Draw(epoch, int(indices[place % self.num_samples]), place // self.num_samples)
            for place in range(needed)
        ]


@dataclass(frozen=True, kw_only=True)
class RoundOrder:
    """The batches of `passes` in their order, counted in rounds of `num_steps` batches.

    A training that is measured in steps can stop after any round, and go on behind it, wherever
    in a pass over the data that is.
    """

    passes: EpochOrder
    num_steps: int

    @property
    def num_samples(self) -> int:
        return self.passes.num_samples

    @property
    def seed(self) -> int:
        return self.passes.seed

    def stream(self, epoch: int) -> Iterator[list[Draw]]:
        """Give the batches of this round and of all that follow, without end."""
        number, done = divmod(epoch * self.num_steps, self.passes.num_steps)
        return islice(self.passes.stream(number), done, None)


def sample_rng(seed: int, draw: Draw) -> np.random.Generator:
    """Give the random numbers for one use of one sample."""
    sequence = np.random.SeedSequence(seed, spawn_key=tuple(draw))
    return np.random.Generator(np.random.Philox(sequence))
