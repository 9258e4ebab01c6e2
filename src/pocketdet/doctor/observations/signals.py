"""What flows through the network: the size, range and variety of every operator's result."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.trace import Call, Op, Run, Trace, lockstep

NUM_OTHER = 2  # passes on other inputs beside the given ones


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """One floating-point value of the recorded pass, over the given and two other inputs.

    - `size`: root mean square; `least`, `most`: its range (of finite values);
    - `variety`: by how much other inputs change it, root mean square;
    - `spread`: the largest size |x| of its values less the smallest: 0 for one that is ±c;
    - `dead_channels`: the share of axis 1 that is zero everywhere, in all passes;
    - `has_nan`, `has_inf`: on the given inputs.
    """

    size: float
    least: float
    most: float
    variety: float
    spread: float
    dead_channels: float
    has_nan: bool
    has_inf: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Signals:
    """The signals of a trace: of every operator's first result, and of the inputs, by slot."""

    by_op: dict[int, Signal] = field(default_factory=dict)

    def of(self, op: Op | None) -> Signal | None:
        """Give the signal that an operator made; None where it made no numbers."""
        return self.by_op.get(op.index) if op is not None else None


def signals(trace: Trace, batch: Call) -> Signals:
    """Run the recorded operators side by side on the given inputs and on two others."""
    runs = [Run(trace)]
    runs += [Run(trace, inputs=other_inputs(trace, batch)) for _ in range(NUM_OTHER)]
    by_op: dict[int, Signal] = {}
    try:
        for op, results in lockstep(trace, runs):
            first = [result[0] for result in results if result]
            if first and first[0].is_floating_point() and first[0].numel():
                by_op[op.index] = _signal(first)
    except (RuntimeError, IndexError) as error:
        raise NotObservable("other data takes another path through the code") from error
    return Signals(by_op=by_op)


def other_inputs(trace: Trace, batch: Call) -> dict[int, Tensor]:
    """Draw other inputs like the given ones, by the slots of a trace's inputs."""
    given = dict(batch.with_other_samples(slice(None)).tensors())
    return {value.slot: given[path] for path, value in trace.inputs.items() if path in given}


def _signal(tensors: list[Tensor]) -> Signal:
    base = tensors[0].detach()
    finite = base if bool(torch.isfinite(base).all()) else base[torch.isfinite(base)]
    same_shape = [t for t in tensors[1:] if t.shape == base.shape]
    finite = finite if finite.numel() else base.new_zeros(1)
    sizes = finite.abs()
    return Signal(
        size=_root_mean_square(finite),
        least=float(finite.min()),
        most=float(finite.max()),
        variety=max((_root_mean_square(t - base) for t in same_shape), default=float("nan")),
        spread=float(sizes.max() - sizes.min()),
        dead_channels=_dead_channels(tensors),
        has_nan=bool(base.isnan().any()),
        has_inf=bool(base.isinf().any()),
    )


def _root_mean_square(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.float())) / tensor.numel() ** 0.5


def _dead_channels(tensors: list[Tensor]) -> float:
    if tensors[0].ndim < 2:
        return 0.0
    dead = [~tensor.bool().transpose(0, 1).flatten(1).any(1) for tensor in tensors]
    return float(torch.stack(dead).all(0).double().mean())
