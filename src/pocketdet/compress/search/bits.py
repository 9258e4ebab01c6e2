"""Bits that a search hands out to the weights of each part, at one mean for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from pocketdet.compress.quantize import Quantize
from pocketdet.compress.search.parts import Per, parts_of
from pocketdet.model import Detector
from pocketdet.model.quantized import weighted_layers

LEAST, MOST = 2, 8
HALVINGS = 24
SMALLEST = 0.02
"""Of the numbers that parts are compared by: no factor brings less than this to eight bits."""


@dataclass(frozen=True, kw_only=True)
class Bits:
    """Bits of weights as a part of a search.

    - `mean`: bits of all weights together, 2 to 8. Every trial keeps it as nearly as whole bits for
      each part allow, and never more; the uniform setting has as many in each part;
    - `codebook`, `activation_bits`: as in `Quantize`.
    """

    mean: float = 4.0
    codebook: bool = False
    activation_bits: int | None = 8

    def __post_init__(self) -> None:
        if not LEAST <= self.mean <= MOST:
            raise ValueError(f"`mean` must be from {LEAST} to {MOST} bits; got {self.mean:g}.")

    def step(self, bits: Mapping[str, int]) -> Quantize:
        """Give the step that holds each layer in its bits, without any way back."""
        return Quantize(
            layers=bits,
            codebook=self.codebook,
            activation_bits=self.activation_bits,
            reduce_range=False,
            lose=None,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BitSpace:
    """One number in [0, 1] for each part or layer, its bits relative to the others'.

    `layers`: the weighted layers of the detector, in its order.
    """

    bits: Bits
    layers: tuple[str, ...]
    per: Per

    @classmethod
    def of(cls, detector: Detector, bits: Bits, per: Per) -> "BitSpace":
        """Find the layers of a detector."""
        weighted = weighted_layers(detector)
        names = (name for name, _ in detector.named_modules() if name in weighted)
        return cls(bits=bits, layers=tuple(names), per=per)

    @property
    def names(self) -> tuple[str, ...]:
        """What is decided on, in the order of the network."""
        return tuple(dict.fromkeys(parts_of(self.layers, self.per)))

    def weights(self, detector: Detector) -> tuple[float, ...]:
        """Give the share of all weights that each part has."""
        sizes = self._sizes(detector)
        whole = sum(sizes.values())
        return tuple(sizes[name] / whole for name in self.names)

    def layer_bits(self, detector: Detector, numbers: Sequence[float]) -> dict[str, int]:
        """Give each layer's bits: numbers times the largest factor that keeps the mean."""
        sizes = self._sizes(detector)
        most = self.bits.mean * sum(sizes.values())
        by_name = dict(zip(self.names, (max(n, SMALLEST) for n in numbers), strict=True))

        def rounded(factor: float) -> dict[str, int]:
            return {n: int(min(MOST, max(LEAST, factor * own))) for n, own in by_name.items()}

        low, high = 0.0, (MOST + 1) / SMALLEST
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            bits = rounded(middle)
            fits = sum(bits[name] * sizes[name] for name in bits) <= most
            low, high = (middle, high) if fits else (low, middle)
        bits = rounded(low)
        parts = zip(self.layers, parts_of(self.layers, self.per), strict=True)
        return {layer: bits[part] for layer, part in parts}

    def _sizes(self, detector: Detector) -> dict[str, int]:
        sizes = dict.fromkeys(self.names, 0)
        parts = zip(self.layers, parts_of(self.layers, self.per), strict=True)
        for layer, part in parts:
            sizes[part] += prod(detector.get_submodule(layer).get_parameter("weight").shape)
        return sizes
