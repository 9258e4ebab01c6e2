"""The results of an OpenVINO file, each made an output."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.parity.taps.tap import Rounding, Tap
from pocketdet.runtime.sessions.installed import need

SHIFTED = frozenset(
    {"Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul", "Multiply"}
)
UNTOLD = frozenset({"Parameter", "Result", "Constant", "ShapeOf", "Convert"})


def openvino_taps(path: Path, inputs: NDArray[Any]) -> list[Tap]:
    """Run an .xml file with every result as an output; gives those in floating point.

    What a FakeQuantize gives counts as what the node before it gives.
    """
    openvino = need("openvino", extra="openvino", what="Comparing an OpenVINO file")
    core = openvino.Core()
    model = core.read_model(str(path))
    shown = [node for node in _of_the_input(model) if _is_float(node)]
    model.add_outputs([node.output(0) for node in shown])
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.infer([inputs])
    # A result that was an output before is not made one again, so places are found by names.
    sources = (output.get_node().input_value(0) for output in model.outputs)
    places = {(s.get_node().get_name(), s.get_index()): n for n, s in enumerate(sources)}
    values = [request.get_output_tensor(places[node.get_name(), 0]).data.copy() for node in shown]
    return _joined(shown, values)


def _of_the_input(model: Any) -> list[Any]:
    """List the nodes that depend on the input, in the order in which they run."""
    reached: set[str] = set()
    nodes: list[Any] = []
    for node in model.get_ordered_ops():
        sources = {entry.get_source_output().get_node().get_name() for entry in node.inputs()}
        kind = node.get_type_name()
        if kind == "Parameter" or sources & reached:
            reached.add(node.get_name())
            if kind not in UNTOLD:
                nodes.append(node)
    return nodes


def _is_float(node: Any) -> bool:
    return node.get_output_size() > 0 and node.output(0).get_element_type().is_real()


def _joined(nodes: list[Any], values: list[NDArray[Any]]) -> list[Tap]:
    """Count a rounding and a shift by a constant as part of what is rounded or shifted.

    OpenVINO keeps a convolution's bias as a sum of its own, and reads (x - mean) · scale as a
    product and a sum; the network has one result for each.
    """
    taps: dict[str, Tap] = {}
    for node, value in zip(nodes, values, strict=True):
        kind, name = node.get_type_name(), node.get_name()
        before = node.input_value(0).get_node() if node.get_input_size() else None
        maker = taps.get(before.get_name()) if before is not None else None
        if kind == "FakeQuantize" and before is not None and maker is not None:
            taps[before.get_name()] = maker.rounded(value, _rounding(node))
            taps[name] = taps.pop(before.get_name())
        elif value.size > 1:
            if before is not None and maker is not None and _is_shift(node, before):
                del taps[before.get_name()]
                kind = kind if maker.kind == "Multiply" else maker.kind
            taps[name] = Tap.of(node.get_friendly_name(), kind, "", value)
    return list(taps.values())


def _is_shift(node: Any, before: Any) -> bool:
    """Say whether a node only adds constants to what nothing else reads."""
    shifted = before.get_type_name() in SHIFTED and node.get_type_name() in ("Add", "Subtract")
    readers = [
        entry
        for entry in before.output(0).get_target_inputs()
        if entry.get_node().get_type_name() != "Result"
    ]
    return shifted and len(readers) == 1 and not _depends(node.input_value(1).get_node())


def _depends(node: Any) -> bool:
    """Say whether a node is computed from an input of the file."""
    if node.get_type_name() == "Parameter":
        return True
    return any(_depends(entry.get_source_output().get_node()) for entry in node.inputs())


def _rounding(node: Any) -> Rounding | None:
    """Read the grid of a FakeQuantize: its last two inputs are the least and largest value."""
    ends = [node.input_value(place).get_node() for place in (3, 4)]
    if any(end.get_type_name() != "Constant" for end in ends):
        return None
    least, largest = (np.asarray(end.get_data(), np.float64).reshape(-1) for end in ends)
    if least.size != 1 or largest.size != 1:
        return None
    steps = int(node.get_attributes()["levels"]) - 1
    return Rounding(
        scale=float(largest[0] - least[0]) / steps, least=float(least[0]), largest=float(largest[0])
    )
