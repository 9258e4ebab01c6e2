"""What a layer must at least do: multiply, and move its weights and maps once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pocketdet.bench.rates import Rates


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One convolution, matrix product, pooling or resizing, for one picture.

    Norms, activations, sums and concatenations are left out: a runtime can do them on the way.

    - `name`: the module or node; `kind`: what it does; `shape`: of what it gives;
    - `macs`: multiply-accumulates of the direct way; `weights`, `activations`: values read
      (each weight and input once) and written.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    macs: int
    weights: int
    activations: int

    def num_bytes(self, *, bytes_a_value: int) -> int:
        return (self.weights + self.activations) * bytes_a_value

    def least_seconds(self, rates: Rates, *, int8: bool) -> float:
        """Give the time below which this CPU cannot come, by its measured rates (a roofline)."""
        size = self.num_bytes(bytes_a_value=1 if int8 else 4)
        return max(self.macs / rates.macs_a_second(int8=int8), size / rates.bytes_a_second(size))

    def is_bound_by_memory(self, rates: Rates, *, int8: bool) -> bool:
        size = self.num_bytes(bytes_a_value=1 if int8 else 4)
        return size / rates.bytes_a_second(size) > self.macs / rates.macs_a_second(int8=int8)

    def to_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.shape),
            "macs": self.macs,
            "weights": self.weights,
            "activations": self.activations,
        }


def least_seconds(layers: Iterable[LayerCost], rates: Rates, *, int8: bool) -> float:
    """Add up the least time of layers that run one after the other."""
    return sum(layer.least_seconds(rates, int8=int8) for layer in layers)
