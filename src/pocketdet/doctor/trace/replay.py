"""Run a recorded pass again, with other inputs or with changes on the way."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from pocketdet.doctor.trace.arguments import exchanged, tensors_of
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
            args = exchanged(op.args, Ref, fetch)
            kwargs = exchanged(op.kwargs, Ref, fetch)
            found = list(tensors_of(op.overload(*args, **kwargs)))
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


class Fork(Run):
    """A run that parts from another one: what it did not make itself is looked up there.

    Only the operators of `with_what_is_written_to` may be stepped, each before the base's own step.
    """

    def __init__(self, *, base: Run, changes: Mapping[int, Change]) -> None:
        self.base = base
        self.changes = changes
        self.tensors = {}

    def step(self, op: Op, *, shared: tuple[Tensor, ...] | None = None) -> tuple[Tensor, ...]:
        """Run one operator on what this run made, and on the base's where it made nothing."""
        for value in op.inputs:
            if value.slot not in self.tensors:
                tensor = self.base.tensors[value.slot]
                self.tensors[value.slot] = tensor.clone() if op.is_in_place else tensor
        return super().step(op, shared=shared)


@torch.no_grad()
def forked(
    trace: Trace, base: Run, forks: list[Fork], changed: set[int]
) -> Iterator[tuple[Op, tuple[Tensor, ...]]]:
    """Run a trace once up to the operators that forks change, and from there once for each fork.

    Gives each operator with the base's results. Random operators give all what they gave the base.
    """
    after = trace.follows_from([v for index in changed for v in trace.ops[index].outputs])
    after = with_what_is_written_to(trace, changed | after)
    last_read = last_reads(trace)
    for op in trace.forward_ops:
        parting = forks if op.index in after else []
        if op.is_random or op.index in changed:
            results = base.step(op)
            for fork in parting:
                fork.step(op, shared=results)
        else:  # what the base overwrites must be read before
            for fork in parting:
                fork.step(op)
            results = base.step(op)
        yield op, results
        for slot in last_read.get(op.index, ()):
            for run in (base, *forks):
                run.tensors.pop(slot, None)


def with_what_is_written_to(trace: Trace, parting: set[int]) -> set[int]:
    """Give operators, with those that made what they overwrite and all that shares its memory."""
    found = set(parting)
    waiting = [trace.ops[index] for index in parting if trace.ops[index].is_in_place]
    while waiting:
        for value in waiting.pop().inputs:
            maker = value.producer
            if maker is not None and maker.index not in found and not maker.is_backward:
                found.add(maker.index)
                if maker.is_in_place or maker.is_view:
                    waiting.append(maker)
    return found


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
