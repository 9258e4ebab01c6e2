"""Every intermediate result of an ONNX file, for one input."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.doctor.onnx_file.graph import Node, OnnxGraph


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounding:
    """What a quantiser did to a result: `scale` and the least and largest value that it can say."""

    scale: float
    least: float
    largest: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Tap:
    """A result in the file.

    - `node`: its name; `kind`: the operator; `where`: the module that the exporter noted, or "";
    - `value`: as the next node reads it, so after rounding; `rounding`: None where none was done.
    """

    node: str
    kind: str
    where: str
    value: NDArray[Any]
    rounding: Rounding | None = None


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
                taps[before] = _tap(maker.node, maker.kind, maker.where, results[result], rounding)
        elif np.issubdtype(results[result].dtype, np.floating) and results[result].size > 1:
            where = node.where if "." in node.where or node.where.isidentifier() else ""
            taps[result] = _tap(_name(node), node.kind, where, results[result], None)
    return list(taps.values())


def _tap(node: str, kind: str, where: str, value: NDArray[Any], rounding: Rounding | None) -> Tap:
    value = value.astype(np.float32)
    return Tap(node=node, kind=kind, where=where, value=value, rounding=rounding)


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
