"""A detector whose weights and maps are held in few bits."""

from collections.abc import Generator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.detector import Detector
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.head import RawOutputs
from pocketdet.model.quantized.arithmetic import Arithmetic, Behaviour
from pocketdet.model.quantized.behaviours import InFloat, Look, OnGrids, key_of
from pocketdet.model.quantized.codebook import Codebook
from pocketdet.model.quantized.plan import INPUT_GRID, Plan, make_plan
from pocketdet.model.quantized.recorder import record
from pocketdet.model.quantized.uniform import ActivationGrid, WeightGrid


@dataclass(frozen=True, kw_only=True)
class WeightCode:
    """How one layer's weights are held.

    - `bits`: 2 to 8; `codebook`: values of its own choice instead of an even grid;
    - `groups`: of output channels, each with a codebook of its own.
    """

    bits: int = 8
    codebook: bool = False
    groups: int = 1


@dataclass(frozen=True, kw_only=True)
class BitPlan:
    """How a detector is held.

    - `weights`: by the name of each convolution or matrix product; what is not named is float;
    - `activation_bits`: 2 to 8, or None, where maps stay in float and only the file shrinks;
    - `activations`: other numbers of bits for single maps, by name.
    """

    weights: Mapping[str, WeightCode]
    activation_bits: int | None = 8
    activations: Mapping[str, int]


class QuantizedDetector(Detector):
    """A detector that computes on grids; made by `quantized`, or read by `Detector.load`.

    Its batch norms are folded. Between the grids it runs the code of its parts, so it can be
    trained further, evaluated and exported as any other. `bits` says how it is held; a map or layer
    that is left in float is in neither.
    """

    def __init__(self, detector: Detector, bits: BitPlan) -> None:
        folded = fold_batch_norm(detector)
        super().__init__(
            config=detector.config,
            classes=detector.classes,
            parts=dict(folded.named_children()),
            level_names=detector.level_names,
        )
        self.surgeries = detector.surgeries
        self.bits = bits
        self.plans: dict[tuple[int, int], Plan] = {}
        self.behaviour: Behaviour | None = None
        self.activation_grids = nn.ModuleDict()
        self.weight_grids = nn.ModuleDict()
        plan = self.plan_for((self.contract.height, self.contract.width))
        for name in plan.grids:
            width = bits.activations.get(name, bits.activation_bits or 8)
            self.activation_grids[key_of(name)] = ActivationGrid(bits=width)
        for name in plan.kernels:
            self.weight_grids[key_of(name)] = self._hold(name, bits.weights[name])
        self.requires_grad_().to(detector.device).train(detector.training)

    activation_grids: nn.ModuleDict
    weight_grids: nn.ModuleDict

    def _hold(self, name: str, code: WeightCode) -> nn.Module:
        layer = self.get_submodule(name)
        weight = layer.get_parameter("weight").detach()
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        if code.codebook:
            return Codebook(weight, bits=code.bits, groups=code.groups, axis=axis)
        return WeightGrid(weight, bits=code.bits, axis=axis)

    def forward(self, images: Tensor) -> RawOutputs:
        """Predict as a `Detector` does, on the grids."""
        behaviour = self.behaviour or OnGrids(
            activations=self.activation_grids, weight_grids=self.weight_grids
        )
        plan = self.plan_for((int(images.shape[-2]), int(images.shape[-1])))
        arithmetic = Arithmetic(plan, behaviour)
        if plan.input_grid is not None:
            images = behaviour.result(images, INPUT_GRID)
        with arithmetic:
            outputs = super().forward(images)
        arithmetic.check_complete()
        return outputs

    def plan_for(self, size: tuple[int, int]) -> Plan:
        """Give what happens where for an input of (height, width); found once for each size."""
        if size not in self.plans:
            floats = weighted_layers(self) - set(self.bits.weights)
            images = torch.zeros(1, 3, *size, device=self.device)
            found = record(_Plain(self), images)
            plan = make_plan(found, floats=floats)
            self.plans[size] = plan if self.bits.activation_bits else plan.weights_only()
        return self.plans[size]

    def plain_forward(self, images: Tensor) -> RawOutputs:
        """Predict in float."""
        return super().forward(images)

    @contextmanager
    def behaving(self, behaviour: Behaviour) -> Generator[None]:
        """Do something else at the grids for a while."""
        before = self.behaviour
        self.behaviour = behaviour
        try:
            yield
        finally:
            self.behaviour = before

    @contextmanager
    def in_float(self, look: Look | None = None) -> Generator[None]:
        """Compute in float for a while, and show `look` each result that has a grid."""
        with self.behaving(InFloat() if look is None else InFloat(look=look)):
            yield

    @contextmanager
    def quantised_only(self, names: Set[str]) -> Generator[None]:
        """Use the grids and layers of these names alone for a while; the rest is float."""
        only = OnGrids(
            activations=self.activation_grids, weight_grids=self.weight_grids, only=names
        )
        with self.behaving(only):
            yield

    def activation_grid(self, name: str) -> ActivationGrid:
        """Give the grid of a name in the plan."""
        grid = self.activation_grids[key_of(name)]
        assert isinstance(grid, ActivationGrid)
        return grid

    def weight_grid(self, name: str) -> WeightGrid | Codebook:
        """Give what holds a layer's weights."""
        grid = self.weight_grids[key_of(name)]
        assert isinstance(grid, WeightGrid | Codebook)
        return grid

    @torch.no_grad()
    def settle(self) -> None:
        """Put each weight where its grid holds it, as a file has it; outputs stay the same."""
        for name in self.plan_for((self.contract.height, self.contract.width)).kernels:
            weight = self.get_submodule(name).get_parameter("weight")
            grid = self.weight_grid(name)
            weight.copy_(grid.values(grid.integers(weight)))


class _Plain(nn.Module):
    """A quantised detector's network without its grids, for the recorder."""

    def __init__(self, detector: QuantizedDetector) -> None:
        super().__init__()
        for name, part in detector.named_children():
            if name not in ("activation_grids", "weight_grids"):
                self.add_module(name, part)
        self.run = detector.plain_forward

    def forward(self, images: Tensor) -> RawOutputs:
        return self.run(images)


def weighted_layers(network: nn.Module) -> set[str]:
    """Name every layer whose weights can be held in few bits."""
    kinds = nn.Conv2d | nn.Linear | nn.ConvTranspose2d
    return {name for name, module in network.named_modules() if isinstance(module, kinds)}


def quantized(
    detector: Detector,
    *,
    code: WeightCode | None = None,
    codes: Mapping[str, WeightCode] | None = None,
    activation_bits: int | None = 8,
    floats: Set[str] = frozenset(),
) -> QuantizedDetector:
    """Hold a detector in few bits; its maps' grids are still to be calibrated.

    `code` is for all layers but those in `floats` (which stay in float), `codes` for single ones.
    """
    layers = weighted_layers(fold_batch_norm(detector))
    unknown = (set(floats) | set(codes or {})) - layers
    if unknown:
        raise ValueError(
            f"`{sorted(unknown)[0]}` is no convolution or matrix product of this detector; it has "
            f"{len(layers)}, such as `{sorted(layers)[0]}`."
        )
    chosen = {name: (codes or {}).get(name, code or WeightCode()) for name in sorted(layers)}
    held = {name: chosen[name] for name in chosen if name not in floats}
    return QuantizedDetector(
        detector, BitPlan(weights=held, activation_bits=activation_bits, activations={})
    )
