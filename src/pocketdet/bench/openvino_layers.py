"""The layers of an OpenVINO file, by its graph."""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from pocketdet.bench.layer_cost import LayerCost

CONVOLUTIONS = {"Convolution": 1, "ConvolutionBackpropData": 1, "GroupConvolution": 2,
                "GroupConvolutionBackpropData": 2}  # fmt: skip
"""With the number of leading axes of the weights that are not summed over for an output."""

MOVES = frozenset({"MaxPool", "AvgPool", "AdaptiveAvgPool", "Interpolate", "ReduceMean"})


def openvino_layers(path: Path, *, input_shape: tuple[int, ...]) -> tuple[LayerCost, ...]:
    """Give what each layer costs when the first input has this shape."""
    import openvino

    model = openvino.Core().read_model(str(path))
    model.reshape({model.input(0).get_any_name(): list(input_shape)})
    return tuple(_layers(model))


def _layers(model: Any) -> Iterator[LayerCost]:
    computed: set[str] = set()
    for node in model.get_ordered_ops():
        sources = [entry.get_source_output() for entry in node.inputs()]
        of_input = [source.get_node().get_name() in computed for source in sources]
        if node.get_type_name() == "Parameter" or any(of_input):
            computed.add(node.get_name())
        if not any(of_input) or not node.get_output_size():
            continue
        macs = _macs(node, [_shape(source) for source in sources])
        if macs is None:
            continue
        sizes = [prod(_shape(source)) for source in sources]
        known = list(zip(sizes, of_input, strict=True))
        yield LayerCost(
            name=node.get_friendly_name(),
            kind=node.get_type_name(),
            shape=_shape(node.output(0)),
            macs=macs,
            weights=sum(size for size, is_map in known if not is_map and macs),
            activations=prod(_shape(node.output(0))) + sum(s for s, is_map in known if is_map),
        )


def _macs(node: Any, given: list[tuple[int, ...]]) -> int | None:
    """Count a node's multiply-accumulates; None for one that is done on the way."""
    kind, result = node.get_type_name(), _shape(node.output(0))
    if kind in CONVOLUTIONS:
        # Every value of the larger side is made of (or spread over) one kernel's products.
        places = given[0] if "Backprop" in kind else result
        return prod(places) * prod(given[1][CONVOLUTIONS[kind] :])
    if kind == "MatMul":
        transposed = bool(node.get_attributes().get("transpose_a"))
        return prod(result) * given[0][-2 if transposed else -1]
    return 0 if kind in MOVES else None


def _shape(port: Any) -> tuple[int, ...]:
    partial = port.get_partial_shape()
    if partial.rank.is_dynamic:
        return ()
    return tuple(axis.get_length() if axis.is_static else 1 for axis in partial)
