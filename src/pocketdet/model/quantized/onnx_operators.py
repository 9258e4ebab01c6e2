"""ONNX's QuantizeLinear and DequantizeLinear, for both of torch's exporters."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

OPSET = 13
"""The first with a scale for each channel."""


def quantize_linear(values: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """Give uint8 integers of a float32 map, with one scale for all of it."""
    if not torch.compiler.is_exporting():  # the exporter that traces
        return _Quantize.apply(values, scale, zero_point)
    return torch.onnx.ops.symbolic(
        "QuantizeLinear",
        (values, scale, zero_point),
        dtype=torch.uint8,
        shape=values.shape,
        version=OPSET,
    )


def dequantize_linear(
    integers: Tensor, scale: Tensor, zero_point: Tensor, *, axis: int | None = None
) -> Tensor:
    """Give the float32 values of integers; `axis` is that of the scales, if there are several."""
    if not torch.compiler.is_exporting():  # the exporter that traces
        return _Dequantize.apply(integers, scale, zero_point, axis)
    return torch.onnx.ops.symbolic(
        "DequantizeLinear",
        (integers, scale, zero_point),
        {} if axis is None else {"axis": axis},
        dtype=torch.float32,
        shape=integers.shape,
        version=OPSET,
    )


class _Quantize(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
        return ((values / scale).round() + zero_point).clamp(0, 255).to(torch.uint8)

    @staticmethod
    def symbolic(g: Any, values: Any, scale: Any, zero_point: Any) -> Any:
        held = g.op("QuantizeLinear", values, scale, zero_point)
        return held.setType(values.type().with_dtype(torch.uint8))


class _Dequantize(Function):
    @staticmethod
    def forward(
        ctx: Any, integers: Tensor, scale: Tensor, zero_point: Tensor, axis: int | None
    ) -> Tensor:
        if axis is not None:
            shape = [-1 if place == axis else 1 for place in range(integers.dim())]
            scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
        return (integers.float() - zero_point) * scale

    @staticmethod
    def symbolic(g: Any, integers: Any, scale: Any, zero_point: Any, axis: int | None) -> Any:
        where = {} if axis is None else {"axis_i": axis}
        values = g.op("DequantizeLinear", integers, scale, zero_point, **where)
        return values.setType(integers.type().with_dtype(torch.float32))
