"""Where an exported file's error is made: each part of the network on the file's own inputs.

The network is run once more, and every result that the file has too is replaced by the file's.
So each part is given exactly what the file gave it, and what it then gives is what the file should
have: the difference is made there, and not handed on. It need not be allowed to grow with depth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor, nn

from pocketdet.doctor.trace import Op, Run, Trace, lockstep, record
from pocketdet.parity.alignment import align
from pocketdet.parity.raw_outputs import decibel, relative_error
from pocketdet.parity.reasons import Part, reason_of
from pocketdet.parity.taps.tap import Tap


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """One result of the file beside what the network makes of the same inputs.

    - `where`, `source`: module and line in torch; `does`: ATen's operator; `node`: in the file;
    - `made`: relative error made here (of the worst of the maps that a concatenation joins);
      `seen`: what can be seen here, with all that was made before;
    - `reason`: what explains it, or "".
    """

    where: str
    source: str
    does: str
    node: str
    kind: str
    shape: tuple[int, ...]
    made: float
    seen: float
    reason: str

    @property
    def sqnr_db(self) -> float:
        return decibel(self.made)

    def to_data(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "shape": list(self.shape),
            "sqnr_db": self.sqnr_db,
        }


@dataclass(frozen=True, kw_only=True)
class LayerComparison:
    """All results that could be paired, in the order of the network.

    `num_results` counts those of the file; `odd_shape` says of the first result of the network
    whose shape the file has nowhere.
    """

    layers: tuple[LayerError, ...]
    num_results: int
    odd_shape: str = ""

    def first_beyond(self, tolerance: float) -> LayerError | None:
        """Give the first part that makes more than a tolerated relative error."""
        return next((layer for layer in self.layers if layer.made > tolerance), None)

    def worst(self, count: int) -> list[LayerError]:
        """Give those that make the most noise, worst first."""
        return sorted(self.layers, key=lambda layer: -layer.made)[:count]


@torch.no_grad()
def compare_layers(
    network: nn.Module, inputs: NDArray[Any], taps: list[Tap], *, tolerance: float
) -> LayerComparison:
    """Compare a network in evaluation mode with the results of a file on the same inputs.

    Reasons are looked for where an error is beyond `tolerance`.
    """
    given = torch.from_numpy(inputs)
    trace = record(network.eval(), lambda: network(given), given=given)
    own = _own_results(trace)
    chosen = [index for index, value in own.items() if _counts(trace.ops[index], value)]
    pairs = align([own[index] for index in chosen], [tap.value for tap in taps])
    by_op = {chosen[mine]: taps[other] for mine, other in pairs.items()}
    layers = tuple(_forced(trace, own, by_op, tolerance))
    return LayerComparison(
        layers=layers, num_results=len(taps), odd_shape=_odd_shape(trace, own, chosen, taps)
    )


def _own_results(trace: Trace) -> dict[int, NDArray[Any]]:
    return {
        op.index: results[0][0].numpy().copy()
        for op, results in lockstep(trace, [Run(trace)])
        if results[0] and results[0][0].is_floating_point()
    }


def _counts(op: Op, value: NDArray[Any]) -> bool:
    return not op.is_view and value.size > 1 and op.name not in ("empty", "zeros", "clone")


def _forced(
    trace: Trace, own: dict[int, NDArray[Any]], by_op: dict[int, Tap], tolerance: float
) -> Iterator[LayerError]:
    expected: dict[int, Tensor] = {}

    def put(index: int, tap: Tap) -> Any:
        def change(tensor: Tensor) -> Tensor:
            expected[index] = tensor.clone()
            return torch.from_numpy(tap.value).reshape(tensor.shape).clone()

        return change

    run = Run(trace, changes={index: put(index, tap) for index, tap in by_op.items()})
    for op, _ in lockstep(trace, [run]):
        tap = by_op.get(op.index)
        if tap is None or op.index not in expected:
            continue
        wanted = expected.pop(op.index).numpy()
        given = tuple(
            run.tensors[value.slot].numpy() for value in op.inputs if value.slot in run.tensors
        )
        parts = _parts(op, wanted, tap.value)
        made = max(relative_error(part.wanted, part.found) for part in parts)
        reason = reason_of(op, given, wanted, tap, parts) if made > tolerance else ""
        yield LayerError(
            where=_without_wrapper(op.where or ""),
            source=str(op.source or ""),
            does=op.name.rstrip("_"),
            node=tap.node,
            kind=tap.kind,
            shape=tuple(wanted.shape),
            made=made,
            seen=relative_error(own[op.index], tap.value),
            reason=reason,
        )


def _without_wrapper(where: str) -> str:
    """Give the module's name in the user's detector, not in what runs it."""
    for prefix in ("network.", "detector."):
        where = where.removeprefix(prefix)
    return where


def _parts(op: Op, wanted: NDArray[Any], found: NDArray[Any]) -> list[Part]:
    """Split a concatenation into what it joins: a loud map must not hide a faint one's error."""
    if op.name != "cat" or len(op.inputs) < 2:
        return [Part(name="", wanted=wanted, found=found)]
    dim = int(op.argument("dim"))
    cuts = np.cumsum([value.shape[dim] for value in op.inputs])[:-1]
    pieces = zip(op.inputs, np.split(wanted, cuts, dim), np.split(found, cuts, dim), strict=True)
    return [
        Part(name=_maker(value), wanted=mine, found=other)
        for value, mine, other in pieces
        if mine.size
    ]


def _maker(value: Any) -> str:
    """Name the module that made a value, looking through views and copies."""
    while value.producer is not None and (value.producer.is_view or not value.producer.where):
        if not value.producer.inputs:
            break
        value = value.producer.inputs[0]
    return (
        _without_wrapper(value.producer.where or "") if value.producer is not None else value.name
    )


def _odd_shape(
    trace: Trace, own: dict[int, NDArray[Any]], chosen: list[int], taps: list[Tap]
) -> str:
    there = {tap.value.shape for tap in taps}
    for index in chosen:
        op, shape = trace.ops[index], own[index].shape
        if len(shape) == 4 and shape not in there and op.name != "native_batch_norm":
            size = "×".join(map(str, shape))
            line = f" ({op.source})" if op.source else ""
            where = _without_wrapper(op.where or "") or "the network"
            return (
                f"first at `{op.name}` in {where}{line}, which gives {size}: a size that the file "
                "has nowhere"
            )
    return ""
