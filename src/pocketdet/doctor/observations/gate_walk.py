"""One walk through a recorded pass in which many gates are changed, each for itself.

Only what a change reaches is computed again, and only until the change has passed a few layers,
so that fifty gates cost little more than one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pocketdet.doctor.trace import Op, Ref, Run, Trace, Value
from pocketdet.doctor.trace.arguments import exchanged, tensors_of
from pocketdet.doctor.trace.between import reads_parameters
from pocketdet.doctor.trace.replay import last_reads

ENOUGH_LAYERS = 3  # of weights that a change has passed: no later norm divides it out exactly
LOW, HIGH = 0.5, 2.0  # between which the random factors are

# (as it was, changed, for other inputs) to whether the change can be seen
Differs = Callable[[Tensor, Tensor, Tensor], bool]


@dataclass(eq=False)
class Candidate:
    """An operation that may be by a gate: operand `which` of `op`.

    `change`, of the operation's result, is set in the walk, from the axes along which the operand
    has equal values; it stays None where there is none such: then it is no gate.
    """

    op: Op
    which: int
    is_term: bool
    change: Callable[[Tensor], Tensor] | None = None

    @property
    def gate(self) -> Value:
        return self.op.inputs[self.which]


@torch.no_grad()
def surviving(
    trace: Trace, candidates: list[Candidate], otherwise: dict[int, Tensor], differs: Differs
) -> set[int]:
    """Set the candidates' changes; give the indices of those whose effect lives on."""
    at: dict[int, list[int]] = {}
    for index, candidate in enumerate(candidates):
        at.setdefault(candidate.op.index, []).append(index)
    base, other = Run(trace), Run(trace, inputs=otherwise)
    last_read = last_reads(trace)
    walks: list[_Walk] = []
    for op in trace.forward_ops:
        here = at.get(op.index, ())
        for index in here:
            _set_change(candidates[index], base)
        steps = [(walk, walk.step(op, base)) for walk in walks if walk.is_open]
        results = base.step(op)
        others = other.step(op, shared=results if op.is_random else None)
        for walk, after in steps:
            if after is not None:
                walk.take(op, list(zip(results, after, others, strict=False)), differs)
        walks += [
            _Walk(index, op, change(results[0]))
            for index in here
            if (change := candidates[index].change) is not None
        ]
        for slot in last_read.get(op.index, ()):
            base.tensors.pop(slot, None)
            other.tensors.pop(slot, None)
            for walk in walks:
                walk.own.pop(slot, None)
                walk.is_open = walk.is_open and bool(walk.own)
    return {walk.index for walk in walks if walk.own}


@dataclass
class _Walk:
    index: int
    start: Op
    changed: Tensor
    own: dict[int, Tensor] = field(default_factory=dict)
    depth: dict[int, int] = field(default_factory=dict)
    is_open: bool = True

    def __post_init__(self) -> None:
        self.own = {self.start.outputs[0].slot: self.changed}
        if len(self.start.outputs) > 1:  # other views of what was written to: cannot be followed
            self._give_up()

    def step(self, op: Op, base: Run) -> tuple[Tensor, ...] | None:
        """Run an operator on changed operands; None where it has none."""
        read = {value.slot for value in op.inputs}
        if not read & self.own.keys():
            return None
        written = {value.slot for value in op.outputs} & read
        if op.is_in_place and not written <= self.own.keys():
            self._give_up()
            return None
        if op.is_random:
            self._survive()
            return None
        fetch: Callable[[Ref], Tensor] = lambda ref: (  # noqa: E731
            self.own[ref.slot] if ref.slot in self.own else base.tensors[ref.slot]
        )
        args = exchanged(op.args, Ref, fetch)
        kwargs = exchanged(op.kwargs, Ref, fetch)
        return tuple(tensors_of(op.overload(*args, **kwargs)))

    def take(self, op: Op, results: list[tuple[Tensor, Tensor, Tensor]], differs: Differs) -> None:
        """Keep what differs from the unchanged pass."""
        layers = max((self.depth.get(v.slot, 0) for v in op.inputs), default=0)
        layers += reads_parameters(op) and op.name in WEIGHTS
        for value, three in zip(op.outputs, results, strict=False):
            if differs(*three):
                self.own[value.slot] = three[1]
                self.depth[value.slot] = layers
            elif not op.is_in_place and not op.is_view:
                self.own.pop(value.slot, None)
        if layers >= ENOUGH_LAYERS and any(v.slot in self.own for v in op.outputs):
            self._survive()

    def _give_up(self) -> None:
        """Leave it to the whole pass."""
        self.own, self.is_open = {}, False

    def _survive(self) -> None:
        self.is_open = False
        self.own = {-1: torch.empty(0)}


WEIGHTS = frozenset({"convolution", "addmm", "mm", "bmm", "linear", "matmul"})


def _set_change(candidate: Candidate, base: Run) -> None:
    """Draw factors that are equal along the axes along which the gate is."""
    gate = base.tensors[candidate.gate.slot].double()
    result = candidate.op.outputs[0].shape
    if candidate.op.name in ("bmm", "matmul"):
        gate = gate.expand(*result[:-2], *gate.shape[-2:]).expand(result)
    equal = [_is_equal_along(gate, axis) for axis in range(gate.ndim)]
    shape = [1] * (len(result) - gate.ndim)
    shape += [1 if same else size for size, same in zip(gate.shape, equal, strict=True)]
    stretched = [s for s, r in zip(shape, result, strict=True) if s == 1 < r]
    is_one_value = all(size == 1 for size in shape)
    if not stretched or is_one_value:
        return
    low, high = torch.tensor([LOW, HIGH]).log()
    factors = (low + (high - low) * torch.rand(shape)).exp()
    if candidate.is_term:
        scale = float(gate.pow(2).mean().sqrt())
        candidate.change = lambda total: total + (factors * scale).to(total)
    else:
        candidate.change = lambda product: product * factors.to(product)


def _is_equal_along(gate: Tensor, axis: int) -> bool:
    if gate.shape[axis] < 2:
        return True
    first = gate.narrow(axis, 0, 1)
    return bool(torch.isfinite(gate).all()) and bool((gate == first).all())
