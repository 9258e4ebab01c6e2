"""What can be found in an ONNX file: the same faults as in a network, by its graph and its runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.doctor.finding import Fault
from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.onnx_file.graph import Arrays, Node, OnnxGraph

TOLERANCE = 1e-4  # relative; kernels may add in another order


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxPatient:
    """A file, what it was given, and every result."""

    graph: OnnxGraph
    inputs: Arrays
    results: Arrays


def softmax_over_one(patient: OnnxPatient) -> Iterator[Fault]:
    for node in patient.graph.nodes:
        result = patient.results.get(node.outputs[0]) if node.outputs else None
        if node.kind not in ("Softmax", "LogSoftmax") or result is None or result.size < 2:
            continue
        axis = int(node.attributes.get("axis", -1))
        if result.shape[axis] == 1:
            shape = "×".join(map(str, result.shape))
            yield _fault(
                node,
                f"{node.kind} of a {shape} map runs over axis {axis % result.ndim}, which has one "
                f"element, so that all of its {result.size:,} results are the same.",
            )


def random_evaluation(patient: OnnxPatient) -> Iterator[Fault]:
    again = patient.graph.run(patient.inputs)
    for node in patient.graph.nodes:
        for name in node.outputs:
            if name in again and _changed(patient.results[name], again[name]).any():
                yield _fault(node, f"Two runs on the same input differ, first in this {node.kind}.")
                return


def batch_mixing(patient: OnnxPatient) -> Iterator[Fault]:
    if next(iter(patient.inputs.values())).shape[0] < 2:
        raise NotObservable("the file takes one sample at a time")
    first = patient.graph.run(_redrawn(patient.inputs, slice(0, 1)))
    others = patient.graph.run(_redrawn(patient.inputs, slice(1, None)))

    def mixed(name: str) -> NDArray[Any]:
        base = patient.results[name]
        if first[name].shape != base.shape or others[name].shape != base.shape:
            return np.zeros(1, bool)  # as many results as were found: nothing to compare
        return _changed(base, first[name]) & _changed(base, others[name])

    outputs = [name for name in patient.graph.outputs if patient.results[name].size > 1]
    shares = {name: float(mixed(name).mean()) for name in outputs}
    if not any(shares.values()):
        return
    wanted = _leading_to(patient.graph, {name for name, share in shares.items() if share})
    for node in patient.graph.nodes:
        if node.index in wanted and any(n and mixed(n).any() for n in node.outputs):
            yield _fault(
                node,
                f"{max(shares.values()):.0%} of an output's values for one sample change when only "
                f"other samples change. They first meet in this {node.kind}.",
            )
            return


def non_finite(patient: OnnxPatient) -> Iterator[Fault]:
    for node in patient.graph.nodes:
        for name in node.outputs:
            result = patient.results.get(name)
            if result is None or not np.issubdtype(result.dtype, np.floating):
                continue
            share = float((~np.isfinite(result)).mean()) if result.size else 0.0
            if share and all(_is_finite(patient, given) for given in node.inputs):
                yield _fault(
                    node, f"{share:.0%} of the results of this {node.kind} are no finite numbers."
                )
                return


ONNX_FAULTS: dict[str, Callable[[OnnxPatient], Iterator[Fault]]] = {
    "softmax-over-one": softmax_over_one,
    "random-evaluation": random_evaluation,
    "batch-mixing": batch_mixing,
    "non-finite": non_finite,
}


def _fault(node: Node, evidence: str) -> Fault:
    return Fault(where=node.where, source=node.source, evidence=evidence, at=node.index)


def _is_finite(patient: OnnxPatient, name: str) -> bool:
    value = patient.results.get(name, patient.inputs.get(name))
    if value is None or not np.issubdtype(value.dtype, np.floating):
        return True
    return bool(np.isfinite(value).all())


def _redrawn(inputs: Arrays, rows: slice) -> Arrays:
    random = np.random.default_rng(1)
    changed = {name: value.copy() for name, value in inputs.items()}
    for value in changed.values():
        part = value[rows]
        if np.issubdtype(value.dtype, np.floating):
            value[rows] = random.random(part.shape).astype(value.dtype)
        else:
            value[rows] = random.permutation(part.reshape(-1)).reshape(part.shape)
    return changed


def _changed(base: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    if base.shape != other.shape:
        return np.ones(1, bool)
    if not np.issubdtype(base.dtype, np.floating):
        return base != other
    typical = np.abs(base).mean() if base.size else 0.0
    limit = TOLERANCE * np.maximum(np.maximum(np.abs(base), np.abs(other)), typical)
    return (np.abs(base - other) > limit) & np.isfinite(base) & np.isfinite(other)


def _leading_to(graph: OnnxGraph, names: set[str]) -> set[int]:
    found: set[int] = set()
    wanted = set(names)
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            found.add(node.index)
            wanted.update(node.inputs)
    return found
