"""Run a network's own code with its results brought to grids as it goes."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor
from torch.overrides import TorchFunctionMode

from pocketdet.model.quantized.plan import WEIGHTED, Placement, Plan
from pocketdet.model.quantized.recorder import is_counted, kind_of


class Behaviour(Protocol):
    """What is done at each place: calibrate, evaluate, train or write a file."""

    def result(self, value: Tensor, grid: str) -> Tensor:
        """Bring a result to its grid, or look at it."""
        ...

    def weights(
        self, weight: Tensor, bias: Tensor | None, placement: Placement
    ) -> tuple[Tensor, Tensor | None]:
        """Give the weight and bias to compute with."""
        ...


class Arithmetic(TorchFunctionMode):
    """Follows a plan through one forward pass.

    Operations are recognised by their order. Calls that the plan does not have, such as those of an
    exporter that computes with shapes, are let pass; an operation of the plan that never comes
    raises `ValueError` at the end, since then some grid was not used.
    """

    def __init__(self, plan: Plan, behaviour: Behaviour) -> None:
        super().__init__()
        self.placements = plan.placements
        self.behaviour = behaviour
        self.place = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if self.place == len(self.placements):
            return func(*args, **given)
        placement = self.placements[self.place]
        if kind_of(func) != placement.kind:
            return func(*args, **given)
        if placement.weights is not None and placement.kind in WEIGHTED:
            args = self._with_weights(list(args), given, placement)
        result = func(*args, **given)
        if not is_counted(result):
            return result
        self.place += 1
        return self._on_grid(result, placement)

    def _with_weights(
        self, args: list[Any], given: dict[str, Any], placement: Placement
    ) -> list[Any]:
        weight = args[1] if len(args) > 1 else given["weight"]
        bias = args[2] if len(args) > 2 else given.get("bias")
        weight, bias = self.behaviour.weights(weight, bias, placement)
        given.pop("weight", None)
        given.pop("bias", None)
        return [args[0], weight, bias, *args[3:]]

    def _on_grid(self, result: Any, placement: Placement) -> Any:
        if placement.grid is None:
            return result
        if isinstance(result, tuple | list):
            return tuple(self.behaviour.result(item, placement.grid) for item in result)
        return self.behaviour.result(result, placement.grid)

    def check_complete(self) -> None:
        """Raise `ValueError` if the pass ended before the plan did."""
        if self.place < len(self.placements):
            missing = self.placements[self.place]
            raise ValueError(
                f"The network did not come to `{missing.name}` ({missing.kind}), which it had when "
                "it was quantised: its forward pass must make the same calls each time."
            )
