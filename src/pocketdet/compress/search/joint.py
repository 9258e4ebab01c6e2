"""All that one search decides: shares of channels, bits of weights, or both."""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketdet.compress.search.bits import BitSpace
from pocketdet.compress.search.space import ChannelSpace
from pocketdet.model import Detector

PREFIX = "bits of "


@dataclass(frozen=True, kw_only=True, eq=False)
class JointSpace:
    """Numbers in [0, 1]: those of the channels, then those of the bits; at least one is there."""

    detector: Detector
    channels: ChannelSpace | None
    bits: BitSpace | None

    @property
    def names(self) -> tuple[str, ...]:
        """What is decided on."""
        channels = self.channels.names if self.channels else ()
        bits = self.bits.names if self.bits else ()
        return (*channels, *(PREFIX + name for name in bits))

    @property
    def uniform(self) -> tuple[float, ...]:
        """The numbers of the uniform setting: every part alike."""
        return (1.0,) * len(self.names)

    def uniform_within(self, macs: float) -> list[float]:
        """Give the numbers of the uniform setting with so many multiply-accumulates."""
        if self.channels is None or self.channels.macs is not None:
            return list(self.uniform)
        shares = self.channels.with_budget(macs).shares(self.channels.uniform)
        return [*shares.values(), *self.uniform[len(shares) :]]

    def weights(self) -> tuple[float, ...]:
        """Give how much of the detector goes with each: work for channels, values for bits."""
        channels = self.channels.weights() if self.channels else ()
        return (*channels, *(self.bits.weights(self.detector) if self.bits else ()))

    def shares(self, numbers: Sequence[float]) -> dict[str, float]:
        """Give the share of channels that each part keeps; none where all stay."""
        if self.channels is None:
            return {}
        return self.channels.shares(numbers[: len(self.channels.names)])

    def cost(self, numbers: Sequence[float]) -> float:
        """Give the share of multiply-accumulates of such a detector."""
        return 1.0 if self.channels is None else self.channels.cost(self.shares(numbers))

    def layer_bits(self, pruned: Detector, numbers: Sequence[float]) -> dict[str, int]:
        """Give the bits of each layer of the pruned detector; none where they are not searched."""
        if self.bits is None:
            return {}
        own = numbers[len(self.names) - len(self.bits.names) :]
        return self.bits.layer_bits(pruned, own)
