"""The layers of an ONNX file, by its graph."""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from pocketdet.bench.layer_cost import LayerCost

CONVOLUTIONS = {"Conv": 1, "ConvTranspose": 1, "QLinearConv": 3, "ConvInteger": 1, "FusedConv": 1}
PRODUCTS = {"Gemm": 1, "MatMul": 1, "QLinearMatMul": 3, "MatMulInteger": 1}
MOVES = frozenset(
    {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize", "ReduceMean"}
)
Shapes = dict[str, tuple[int, ...]]


def onnx_layers(path: Path, *, input_shape: tuple[int, ...]) -> tuple[LayerCost, ...]:
    """Give what each layer costs when the first input has this shape.

    Weights that the file quantises count as they are stored, by their number of values.
    """
    import onnx

    model = onnx.load(str(path))
    _fix_shape(model.graph.input[0], input_shape)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes = _shapes(inferred.graph)
    constants = _constants(inferred.graph)
    return tuple(_layers(inferred.graph.node, shapes, constants))


def is_quantized_onnx(path: Path) -> bool:
    """Say whether an ONNX file computes with integers, at least in part."""
    import onnx

    kinds = {node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node}
    return bool(kinds & {"QuantizeLinear", "QLinearConv", "ConvInteger", "DynamicQuantizeLinear"})


def _fix_shape(value: Any, shape: tuple[int, ...]) -> None:
    for axis, length in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        axis.Clear()
        axis.dim_value = length


def _shapes(graph: Any) -> Shapes:
    shapes: Shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
    return shapes


def _constants(graph: Any) -> set[str]:
    """Name what depends on no input: weights, also behind a Q/DQ pair."""
    known = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" or (
            node.input and all(not name or name in known for name in node.input)
        ):
            known.update(node.output)
    return known


def _layers(nodes: Any, shapes: Shapes, constants: set[str]) -> Iterator[LayerCost]:
    for node in nodes:
        result = shapes.get(node.output[0], ()) if node.output else ()
        if node.output and node.output[0] in constants:
            continue
        place = CONVOLUTIONS.get(node.op_type)
        if place is not None:
            weight = shapes.get(node.input[place], ())
            seen = shapes.get(node.input[0], ()) if node.op_type == "ConvTranspose" else result
            yield _layer(node, prod(seen) * prod(weight[1:]), shapes, constants)
        elif node.op_type in PRODUCTS:
            inner = shapes.get(node.input[0], (0,))[-1]
            yield _layer(node, prod(result) * inner, shapes, constants)
        elif node.op_type in MOVES:
            yield _layer(node, 0, shapes, constants)


def _layer(node: Any, macs: int, shapes: Shapes, constants: set[str]) -> LayerCost:
    sizes = {name: prod(shapes.get(name, ())) for name in node.input if name}
    shape = shapes.get(node.output[0], ())
    return LayerCost(
        name=node.name or node.output[0],
        kind=node.op_type,
        shape=shape,
        macs=macs,
        weights=sum(size for name, size in sizes.items() if name in constants and size > 1),
        activations=prod(shape) + sum(s for name, s in sizes.items() if name not in constants),
    )
