"""The form of a quantised detector that exporters write: integers, with Q and DQ around them."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from pocketdet.model.quantized.behaviours import bias_steps, is_integer_kernel, key_of
from pocketdet.model.quantized.detector import QuantizedDetector
from pocketdet.model.quantized.onnx_operators import dequantize_linear, quantize_linear
from pocketdet.model.quantized.plan import Placement, Plan
from pocketdet.model.quantized.uniform import LEAST_SCALE, ActivationGrid, WeightGrid


def onnx_form(detector: QuantizedDetector) -> QuantizedDetector:
    """Give a copy in evaluation mode that `torch.onnx.export` writes as QDQ.

    Weights are int8 initialisers, biases int32. A codebook's weights are written as the float32
    values that they stand for: no runtime looks them up. Outside an export the copy computes what
    the file will.
    """
    copy = deepcopy(detector).eval().requires_grad_(requires_grad=False)
    copy.settle()
    written = _Written(copy)
    copy.add_module("written", written)
    copy.behaviour = written
    return copy


class _Written(nn.Module):
    """Writes QuantizeLinear and DequantizeLinear where the grids are."""

    def __init__(self, detector: QuantizedDetector) -> None:
        super().__init__()
        self.grids = nn.ModuleDict()
        self.kernels = nn.ModuleDict()
        plan = detector.plan_for((detector.contract.height, detector.contract.width))
        for name in plan.grids:
            self.grids[key_of(name)] = _WrittenGrid(detector.activation_grid(name))
        for placement in plan.placements:
            if placement.weights is None:
                continue
            grid = detector.weight_grid(placement.weights)
            if is_integer_kernel(placement, grid) and isinstance(grid, WeightGrid):
                assert placement.input_grid is not None
                self.kernels[key_of(placement.name)] = _WrittenKernel(
                    detector.get_submodule(placement.weights),
                    grid,
                    detector.activation_grid(placement.input_grid),
                )
        self._leave_out_floats(detector, plan)

    def _leave_out_floats(self, detector: QuantizedDetector, plan: Plan) -> None:
        """Empty the float weights of which only integers are used, or the file has both."""
        calls: dict[str, list[str]] = {}
        for placement in plan.placements:
            if placement.weights is not None:
                calls.setdefault(placement.weights, []).append(key_of(placement.name))
        for name, keys in calls.items():
            if all(key in self.kernels for key in keys):
                layer = detector.get_submodule(name)
                for tensor in [t for t, _ in layer.named_parameters(recurse=False)]:
                    setattr(layer, tensor, nn.Parameter(torch.zeros(0), requires_grad=False))

    def result(self, value: Tensor, grid: str) -> Tensor:
        return self.grids[key_of(grid)](value)

    def weights(
        self, weight: Tensor, bias: Tensor | None, placement: Placement
    ) -> tuple[Tensor, Tensor | None]:
        key = key_of(placement.name)
        return self.kernels[key]() if key in self.kernels else (weight, bias)


class _WrittenGrid(nn.Module):
    def __init__(self, grid: ActivationGrid) -> None:
        super().__init__()
        self.grid = grid
        self.limits = None if grid.bits == 8 else grid.limits()
        self.register_buffer("scale", grid.scale.detach().abs().clamp(min=LEAST_SCALE))
        self.register_buffer("zero_point", grid.zero_point.to(torch.uint8))

    scale: Tensor
    zero_point: Tensor

    def forward(self, values: Tensor) -> Tensor:
        if not is_exporting():
            return self.grid(values)
        if self.limits is not None:  # The file's type is uint8; fewer bits are a narrower range.
            values = values.clamp(*self.limits)
        held = quantize_linear(values, self.scale, self.zero_point)
        return dequantize_linear(held, self.scale, self.zero_point)


class _WrittenKernel(nn.Module):
    def __init__(self, layer: nn.Module, grid: WeightGrid, input_grid: ActivationGrid) -> None:
        super().__init__()
        integers = grid.integers(layer.get_parameter("weight"))
        self.register_buffer("weight", integers)
        self.register_buffer("scale", grid.steps().flatten().detach().clone())
        self.register_buffer("zero_point", torch.zeros(len(self.scale), dtype=torch.int8))
        bias = dict(layer.named_parameters()).get("bias")
        self.has_bias = bias is not None
        if bias is not None:
            steps = bias_steps(grid, input_grid)
            self.register_buffer("bias_scale", steps)
            self.register_buffer("bias", (bias / steps).round().to(torch.int32))
            self.register_buffer("bias_zero", torch.zeros(len(steps), dtype=torch.int32))

    weight: Tensor
    scale: Tensor
    zero_point: Tensor
    bias: Tensor
    bias_scale: Tensor
    bias_zero: Tensor

    def forward(self) -> tuple[Tensor, Tensor | None]:
        if not is_exporting():
            return self._computed()
        weight = dequantize_linear(self.weight, self.scale, self.zero_point, axis=0)
        if not self.has_bias:
            return weight, None
        return weight, dequantize_linear(self.bias, self.bias_scale, self.bias_zero, axis=0)

    def _computed(self) -> tuple[Tensor, Tensor | None]:
        scale = self.scale.reshape(-1, *[1] * (self.weight.dim() - 1))
        bias = self.bias * self.bias_scale if self.has_bias else None
        return self.weight * scale, bias


def is_exporting() -> bool:
    """Say whether an exporter runs the network to see its operations."""
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()
