"""Run a recorded pass again, with other inputs or with changes on the way."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from pocketdet.doctor.trace.graph import Op, Ref, Trace

Change = Callable[[Tensor], Tensor]


def is_drawn(op: Op) -> bool:
    """Say whether an operator draws random numbers."""
    return op.is_random


def is_drawn_or_chosen(op: Op) -> bool:
    """Say whether an operator draws random numbers, or gives choices: indices and masks."""
    return op.is_random or not any(value.is_float for value in op.outputs)


@torch.no_grad()
def lockstep(
    trace: Trace, runs: list["Run"], *, shares: Callable[[Op], bool] = is_drawn
) -> Iterator[tuple[Op, list[tuple[Tensor, ...]]]]:
    """Run the forward operators of a trace in several runs side by side.

    Gives each operator with every run's results, right after it ran: an operator in place
    overwrites them later. Operators that `shares` picks out, by default the random ones, give
    all runs what they gave the first.
    """
    last_read = last_reads(trace)
    for op in trace.forward_ops:
        results: list[tuple[Tensor, ...]] = []
        for run in runs:
            results.append(run.step(op, shared=results[0] if results and shares(op) else None))
        yield op, results
        for slot in last_read.get(op.index, ()):
            for run in runs:
                run.tensors.pop(slot, None)


def replay(trace: Trace, run: "Run") -> dict[str, Tensor]:
    """Run it to the end; gives the outputs by their paths."""
    for _ in lockstep(trace, [run]):
        pass
    return run.outputs(trace)


class Run:
    """One run of a trace.

    - `inputs`: other tensors for some leaves, by slot;
    - `changes`: a change of the first result of some operators, by their index.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        inputs: Mapping[int, Tensor] | None = None,
        changes: Mapping[int, Change] | None = None,
    ) -> None:
        self.changes = changes or {}
        self.tensors: dict[int, Tensor] = {}
        for leaf in trace.leaves:
            if leaf.tensor is not None:
                given = (inputs or {}).get(leaf.slot)
                self.tensors[leaf.slot] = leaf.tensor.clone() if given is None else given.clone()

    def step(self, op: Op, *, shared: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]:
        """Run one operator; gives its own results."""
        if shared is None:
            fetch: Callable[[Ref], Tensor] = lambda ref: self.tensors[ref.slot]  # noqa: E731
            args = tree_map_only(Ref, fetch, op.args)
            kwargs = tree_map_only(Ref, fetch, op.kwargs)
            found: list[Tensor] = []
            tree_map_only(Tensor, found.append, op.overload(*args, **kwargs))
        else:
            found = [tensor.clone() for tensor in shared]
        if op.index in self.changes and found:
            found[0] = self._changed(op, found[0])
        for value, tensor in zip(op.outputs, found, strict=False):
            self.tensors[value.slot] = tensor
        return tuple(found)

    def _changed(self, op: Op, tensor: Tensor) -> Tensor:
        changed = self.changes[op.index](tensor)
        if op.is_in_place or op.is_view:
            return tensor.copy_(changed)
        return changed

    def outputs(self, trace: Trace) -> dict[str, Tensor]:
        """Give what the trace's outputs are in this run, by path, after the last operator."""
        return {
            path: self.tensors[value.slot]
            for path, value in trace.outputs.items()
            if value.slot in self.tensors
        }


def last_reads(trace: Trace) -> dict[int, list[int]]:
    """Give the slots that may be dropped after an operator, by its index."""
    kept = {value.slot for value in trace.outputs.values()}
    last: dict[int, int] = {}
    for op in trace.forward_ops:
        for value in (*op.inputs, *op.outputs):
            last[value.slot] = op.index
    by_op: dict[int, list[int]] = {}
    for slot, index in last.items():
        if slot not in kept:
            by_op.setdefault(index, []).append(slot)
    return by_op


def output_difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """Give the largest difference of two sets of outputs, relative to each output's spread."""
    worst = 0.0
    for path, tensor in first.items():
        other = second.get(path)
        if other is None or not tensor.is_floating_point() or not tensor.numel():
            continue
        scale = float(tensor.double().abs().mean()) or 1.0
        worst = max(worst, float((tensor.double() - other.double()).abs().max()) / scale)
    return worst
