"""What a quantised network does at each of its places: compute on grids, only look, or neither."""

from collections.abc import Callable, Set
from dataclasses import dataclass, field

from torch import Tensor, nn

from pocketdet.model.quantized.plan import Placement
from pocketdet.model.quantized.uniform import LEAST_SCALE, ActivationGrid, WeightGrid

Look = Callable[[str, Tensor], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class OnGrids:
    """Evaluate and train on the grids.

    - `activations`: the grid of each name; `weights_of`: what holds each module's weights;
    - `only`: if given, the only names of grids and modules that are used; the rest is float.
    """

    activations: nn.ModuleDict
    weight_grids: nn.ModuleDict
    only: Set[str] | None = None

    def result(self, value: Tensor, grid: str) -> Tensor:
        return self.activations[key_of(grid)](value) if self._is_used(grid) else value

    def weights(
        self, weight: Tensor, bias: Tensor | None, placement: Placement
    ) -> tuple[Tensor, Tensor | None]:
        assert placement.weights is not None
        if not self._is_used(placement.weights):
            return weight, bias
        grid = self.weight_grids[key_of(placement.weights)]
        return grid(weight), self._on_bias_grid(bias, grid, placement)

    def _on_bias_grid(
        self, bias: Tensor | None, grid: nn.Module, placement: Placement
    ) -> Tensor | None:
        """Round a bias as integer kernels do: to 32 bits in steps of input's times weight's."""
        if bias is None or not is_integer_kernel(placement, grid) or self.only is not None:
            return bias
        assert placement.input_grid is not None
        steps = bias_steps(grid, self.activations[key_of(placement.input_grid)])
        whole = bias / steps
        return bias + ((whole.round() * steps) - bias).detach()

    def _is_used(self, name: str) -> bool:
        return self.only is None or name in self.only


@dataclass(frozen=True, kw_only=True, eq=False)
class InFloat:
    """Compute in float, and show each result that would be brought to a grid."""

    look: Look = field(default=lambda name, value: None)

    def result(self, value: Tensor, grid: str) -> Tensor:
        self.look(grid, value)
        return value

    def weights(
        self, weight: Tensor, bias: Tensor | None, placement: Placement
    ) -> tuple[Tensor, Tensor | None]:
        return weight, bias


def key_of(name: str) -> str:
    """Turn a qualified name into one that a `ModuleDict` takes."""
    return name.replace(".", "/")


def is_integer_kernel(placement: Placement, grid: nn.Module) -> bool:
    """Say whether an operation computes with integers: an even grid, and its input on one."""
    has_kernel = placement.kind != "deconv" and placement.input_grid is not None
    return has_kernel and isinstance(grid, WeightGrid)


def bias_steps(weight_grid: nn.Module, input_grid: nn.Module) -> Tensor:
    """Give the (out_channels,) steps of an integer kernel's accumulator."""
    assert isinstance(input_grid, ActivationGrid)
    assert isinstance(weight_grid, WeightGrid)
    scale = weight_grid.steps()
    return (scale.flatten() * input_grid.scale.abs().clamp(min=LEAST_SCALE)).detach()
