"""Every intermediate result of an ONNX file, for one input."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.doctor.onnx_file.graph import Node, OnnxGraph
from pocketdet.parity.taps.tap import Rounding, Tap


def onnx_taps(path: Path, inputs: NDArray[Any]) -> list[Tap]:
    """Run a file without any optimisation; gives its floating results, in the order of its nodes.

    A quantiser and its way back count as part of the node before them.
    """
    graph = OnnxGraph(path)
    name = next(iter(graph.given))
    results = graph.run({name: inputs})
    constants = _constants(graph)
    taps: dict[str, Tap] = {}
    source: dict[str, str] = {}
    for node in graph.nodes:
        result = node.outputs[0] if node.outputs else ""
        if not result or result in constants or result not in results:
            continue
        if node.kind == "QuantizeLinear":
            source[result] = node.inputs[0]
        elif node.kind == "DequantizeLinear" and node.inputs[0] in source:
            before = source[node.inputs[0]]
            rounding = _rounding(node, graph, results[node.inputs[0]].dtype)
            maker = taps.get(before)
            if maker is not None and maker.rounding is None:
                taps[before] = maker.rounded(results[result], rounding)
        elif np.issubdtype(results[result].dtype, np.floating) and results[result].size > 1:
            where = node.where if "." in node.where or node.where.isidentifier() else ""
            taps[result] = Tap.of(_name(node), node.kind, where, results[result])
    return list(taps.values())


def _name(node: Node) -> str:
    return node.outputs[0] or node.where


def _constants(graph: OnnxGraph) -> set[str]:
    known = set(graph.constants)
    for node in graph.nodes:
        if all(not name or name in known for name in node.inputs):
            known.update(node.outputs)
    return known


def _rounding(node: Node, graph: OnnxGraph, dtype: Any) -> Rounding | None:
    scale = graph.tensor(node.inputs[1])
    if scale is None or scale.size != 1:
        return None
    zero_tensor = graph.tensor(node.inputs[2]) if len(node.inputs) > 2 else None
    zero = 0 if zero_tensor is None else int(zero_tensor.reshape(-1)[0])
    limits = np.iinfo(dtype)
    step = float(scale.reshape(-1)[0])
    return Rounding(
        scale=step, least=(limits.min - zero) * step, largest=(limits.max - zero) * step
    )
