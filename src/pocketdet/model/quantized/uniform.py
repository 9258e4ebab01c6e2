"""Numbers on an even grid: what eight bits, or fewer, can hold of a tensor.

x is held as the integer q = clamp(round(x / scale) + zero_point, low, high) and read back as
(q - zero_point) · scale: ONNX's QuantizeLinear and DequantizeLinear, rounding half to even
included. The same few lines serve calibration, training and evaluation, so that there is nothing
in an exported file that was not evaluated here.
"""

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

LEAST_BITS, MOST_BITS = 2, 8
LEAST_SCALE = 1e-9
"""Of a tensor that is all zeros."""


def check_bits(name: str, bits: int) -> None:
    """Raise `ValueError` for a number of bits that no grid here has."""
    if not LEAST_BITS <= bits <= MOST_BITS:
        raise ValueError(f"`{name}` must be from {LEAST_BITS} to {MOST_BITS}; got {bits}.")


class _OnGrid(Function):
    """Round to the grid; the gradient passes straight through where nothing was clipped.

    The scale's gradient is that of learned step sizes (LSQ, Esser et al. 2019, arXiv 1902.08153,
    equation 3), divided by sqrt(count · high) as in its section 2.2.
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, scale: Tensor, zero_point: Tensor, low: int, high: int
    ) -> Tensor:
        steps = values / scale
        # Two clamps without the zero point in between would need the shifted limits; adding it
        # to rounded steps is exact, as all of this is below 2^24.
        whole = steps.round().add_(zero_point).clamp_(low, high).sub_(zero_point)
        if any(ctx.needs_input_grad[:2]):
            ctx.save_for_backward(steps, whole, scale)
            ctx.high = high
        return whole * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        steps, whole, scale = ctx.saved_tensors
        error = whole - steps
        inside = error.abs() <= 0.5
        of_values = gradient * inside if ctx.needs_input_grad[0] else None
        of_scale = None
        if ctx.needs_input_grad[1]:
            terms = gradient * torch.where(inside, error, whole)
            factor = 1 / sqrt(terms.numel() / scale.numel() * max(1, ctx.high))
            of_scale = terms.sum_to_size(scale.shape) * factor
        return of_values, of_scale, None, None, None


def on_grid(values: Tensor, scale: Tensor, zero_point: Tensor, *, low: int, high: int) -> Tensor:
    """Give `values` rounded to a grid; `scale` and `zero_point` broadcast over them."""
    result: Any = _OnGrid.apply(values, scale, zero_point, low, high)
    return result


class ActivationGrid(nn.Module):
    """One grid for a whole feature map, of 2^bits integers from 0.

    - `scale`: float32 scalar, learned where a network is trained further;
    - `zero_point`: the integer that stands for 0, which is always exact.
    """

    scale: nn.Parameter
    zero_point: Tensor

    def __init__(self, *, bits: int = 8) -> None:
        super().__init__()
        check_bits("bits", bits)
        self.bits = bits
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("zero_point", torch.zeros((), dtype=torch.int32))

    @property
    def high(self) -> int:
        return 2**self.bits - 1

    def forward(self, values: Tensor) -> Tensor:
        scale = self.scale.abs().clamp(min=LEAST_SCALE)
        return on_grid(values, scale, self.zero_point, low=0, high=self.high)

    @torch.no_grad()
    def cover(self, low: float, high: float) -> None:
        """Choose scale and zero point so that the grid holds [low, high], and 0 exactly."""
        low, high = min(low, 0.0), max(high, 0.0)
        self.scale.fill_(max((high - low) / self.high, LEAST_SCALE))
        self.zero_point.fill_(round(-low / float(self.scale)))

    def limits(self) -> tuple[float, float]:
        """Give the least and the largest number of the grid."""
        scale, zero = float(self.scale.abs()), int(self.zero_point)
        return -zero * scale, (self.high - zero) * scale

    def extra_repr(self) -> str:
        low, high = self.limits()
        return f"{self.bits} bits, [{low:.4g}, {high:.4g}]"


class WeightGrid(nn.Module):
    """One symmetric grid a kernel (an output channel), of 2^bits - 1 integers around 0.

    - `scale`: float32, of the weight's number of axes, 1 in all but the output channels';
    - `axis`: where the output channels are (0; 1 in a transposed convolution).
    """

    scale: nn.Parameter

    def __init__(self, weight: Tensor, *, bits: int, axis: int = 0) -> None:
        super().__init__()
        check_bits("bits", bits)
        self.bits, self.axis = bits, axis
        shape = [1] * weight.dim()
        shape[axis] = weight.shape[axis]
        self.scale = nn.Parameter(torch.ones(shape, device=weight.device))
        self.register_buffer(
            "zero_point",
            torch.zeros((), dtype=torch.int32, device=weight.device),
            persistent=False,
        )
        self.fit(weight)

    zero_point: Tensor

    @property
    def high(self) -> int:
        return 2 ** (self.bits - 1) - 1

    def steps(self) -> Tensor:
        """Give the scale as it is used, above 0."""
        return self.scale.abs().clamp(min=LEAST_SCALE)

    def forward(self, weight: Tensor) -> Tensor:
        return on_grid(weight, self.steps(), self.zero_point, low=-self.high, high=self.high)

    @torch.no_grad()
    def integers(self, weight: Tensor) -> Tensor:
        """Give the int8 integers that stand for a weight."""
        return (weight / self.steps()).round().clamp(-self.high, self.high).to(torch.int8)

    @torch.no_grad()
    def values(self, integers: Tensor) -> Tensor:
        """Give the float32 weight that integers stand for."""
        return integers.float() * self.steps()

    @torch.no_grad()
    def fit(self, weight: Tensor) -> None:
        """Choose each channel's scale for the least squared error.

        Eight and seven bits take the largest magnitude; below, up to 60% of it may be clipped
        away, whichever of 40 limits is best.
        """
        others = [axis for axis in range(weight.dim()) if axis != self.axis]
        largest = weight.abs().amax(dim=others, keepdim=True).clamp(min=LEAST_SCALE)
        shares = [1.0] if self.bits > 6 else [1 - 0.015 * step for step in range(40)]
        best_error = torch.full_like(largest, torch.inf)
        best = largest / self.high
        for share in shares:
            scale = (largest * share / self.high).clamp(min=LEAST_SCALE)
            held = (weight / scale).round().clamp(-self.high, self.high) * scale
            error = (held - weight).square().sum(dim=others, keepdim=True)
            best = torch.where(error < best_error, scale, best)
            best_error = torch.minimum(error, best_error)
        self.scale.copy_(best)

    def extra_repr(self) -> str:
        return f"{self.bits} bits, {self.scale.numel()} channels"
