"""One quantiser for outputs of different meaning, such as boxes and scores in one map."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.doctor.onnx_file.graph import Node, OnnxGraph

LEARNED = frozenset({"Conv", "Gemm", "MatMul", "ConvTranspose", "QLinearConv", "QLinearMatMul"})
LEAST_STEPS = 64  # of 256: a quarter of the range is as much as one map may lose to another


def shared_scales(path: Path, inputs: NDArray[Any]) -> Iterator[str]:
    """Say which quantised concatenations lead to several outputs with no weights in between."""
    graph = OnnxGraph(path)
    results = graph.run({next(iter(graph.given)): inputs})
    makers = {name: node for node in graph.nodes for name in node.outputs}
    for node in graph.nodes:
        if node.kind != "QuantizeLinear":
            continue
        joined = makers.get(node.inputs[0])
        step = graph.tensor(node.inputs[1])
        if joined is None or joined.kind != "Concat" or step is None or step.size != 1:
            continue
        if len(_outputs_after(graph, node)) < 2:
            continue
        spans = [float(np.ptp(results[name])) for name in joined.inputs]
        steps = [span / float(step.reshape(-1)[0]) for span in spans]
        if min(steps) < LEAST_STEPS:
            yield _sentence(graph, joined, spans, steps, float(step.reshape(-1)[0]))


def _sentence(
    graph: OnnxGraph, joined: Node, spans: list[float], steps: list[float], scale: float
) -> str:
    loud, faint = int(np.argmax(spans)), int(np.argmin(spans))
    outputs = " and ".join(f"`{name}`" for name in graph.outputs)
    return (
        f"first at Concat `{joined.outputs[0]}`, because one scale of {scale:.3g} is shared by "
        f"{outputs}: one spans {spans[loud]:.3g}, and the other {spans[faint]:.3g}, which is "
        f"{steps[faint]:.0f} of 256 steps"
    )


def _outputs_after(graph: OnnxGraph, start: Node) -> set[str]:
    """Name the outputs of the file that a node reaches without meeting weights."""
    reached = set(start.outputs)
    for node in graph.nodes[start.index + 1 :]:
        if node.kind not in LEARNED and reached.intersection(node.inputs):
            reached.update(node.outputs)
    return reached.intersection(graph.outputs)
