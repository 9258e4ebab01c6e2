"""What each layer is given in training and in evaluation, for the same inputs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
import inspect

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Op, Run, Trace, Value, record
from pocketdet.doctor.trace.origin import MOVING
from pocketdet.doctor.trace.replay import last_reads

NUM_DRAWS = 32  # passes over which what is random in training is averaged
MOST_KEPT = 50_000_000  # values that layers are given; with more there is one pass only
BY_CHANCE = frozenset(
    {"bernoulli", "bernoulli_", "native_dropout", "rand", "rand_like", "uniform_"}
)
LEAST_VALUES = 16  # of what a layer is given; fewer say nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class ModeGap:
    """A layer that is given something else in training than in evaluation, for the same inputs.

    All layers before it were given the same in both, so that what stands between makes the
    difference; running values have been brought to where training passes lead them.

    - `layer`: in evaluation's pass; `first`: the first operator before it that only one mode runs;
    - `gap`: of what the layer is given in training (the mean, where that is random), relative to
      its size in evaluation; `error`: of that mean; `factor`: training's over evaluation's;
    - `has_running`: whether evaluation reads running values there; `still`: those of them that no
      training pass moves.
    """

    layer: Op
    first: Op
    gap: float
    error: float
    factor: float
    has_running: bool
    still: tuple[str, ...]


def mode_gaps(settled: nn.Module, batch: Call, trace: Trace) -> tuple[ModeGap, ...]:
    """Run the user's own modules in training mode, torch's norms and dropouts in evaluation's."""
    if not any(_may_look_at_its_mode(type(module)) for module in settled.modules()):
        return ()
    patient = _in_training(copy_of(settled))
    given = batch.mapped(torch.clone)
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            other = record(patient, lambda: given(patient), given=given.given)
    except Exception as error:  # Training may want labels, or another batch: that is an answer.
        raise NotObservable("training mode wants more than the inputs") from error
    differing = _differing(trace, other)
    if not differing:
        return ()
    led = _where_training_leads(settled, batch)
    pairs = list(_pairs(trace, other))
    try:
        said = _given_in_evaluation(trace, Run(trace, inputs=_slots(trace, led)), pairs)
        is_large = sum(tensor.numel() for tensor in said.values()) > MOST_KEPT
        is_random = any(op.is_random for op in other.forward_ops)
        draws = NUM_DRAWS if is_random and not is_large else 1
        seen = [_given_in_training(other, led, pairs, said, seed) for seed in range(draws)]
    except (RuntimeError, KeyError, IndexError) as error:
        raise NotObservable("the pass takes another path when it is run again") from error
    return tuple(_gaps(pairs, said, seen, differing, led))


def _may_look_at_its_mode(kind: type) -> bool:
    """Say whether a class that is not torch's names training; where no source is, it may."""
    for base in kind.__mro__:
        if base.__module__.startswith("torch.") or base is object:
            continue
        try:
            if "train" in inspect.getsource(base):
                return True
        except (OSError, TypeError):
            return True
    return False


def _in_training(model: nn.Module) -> nn.Module:
    for module in model.modules():
        is_torchs = type(module).__module__.startswith("torch.")
        module.training = not is_torchs and not isinstance(module, _BatchNorm)
    return model


def _signature(op: Op) -> tuple[str, str | None, str]:
    scalars = [a for a in (*op.args, *op.kwargs.values()) if isinstance(a, bool | int | float)]
    return op.name, op.where, f"{op.source} {scalars}"


def _differing(trace: Trace, other: Trace) -> set[int]:
    """Give the operators that only one of both runs: indices, those of the training pass negative.

    Index n of the training pass is given as -n - 1.
    """
    ours = Counter(_signature(op) for op in trace.forward_ops)
    theirs = Counter(_signature(op) for op in other.forward_ops)
    only = {op.index for op in trace.forward_ops if ours[_signature(op)] > theirs[_signature(op)]}
    more = [op for op in other.forward_ops if theirs[_signature(op)] > ours[_signature(op)]]
    return only | {-op.index - 1 for op in more}


@torch.no_grad()
def _where_training_leads(settled: nn.Module, batch: Call) -> dict[str, Tensor]:
    """Give the running values after endless training on this batch, by two passes.

    A blend b ← (1 - f)·b + f·s goes to s = b₀ - (b₁ - b₀)² / (b₂ - 2·b₁ + b₀), whatever f is
    (Aitken's extrapolation). Values that no pass moves are left out.
    """
    patient = _in_training(copy_of(settled))
    steps = [_values(patient)]
    for _ in range(2):
        torch.manual_seed(0)
        batch.mapped(torch.clone)(patient)
        steps.append(_values(patient))
    led: dict[str, Tensor] = {}
    for name, start in steps[0].items():
        one, two = (step.get(name) for step in steps[1:])
        if one is None or two is None or one.shape != start.shape or torch.equal(start, two):
            continue
        bend = (two - 2 * one + start).double()
        moved = (one - start).double()
        end = start - (moved.square() / torch.where(bend == 0, torch.ones_like(bend), bend)).to(one)
        led[name] = torch.where(bend == 0, two, end)
    return led


def _values(model: nn.Module) -> dict[str, Tensor]:
    return {n: b.clone() for n, b in model.named_buffers() if b.is_floating_point() and b.numel()}


def _pairs(trace: Trace, other: Trace) -> Iterator[tuple[Op, Op]]:
    """Match operators that read the same parameter, the n-th with the n-th."""
    waiting: dict[tuple[object, ...], list[Op]] = {}
    for op in other.forward_ops:
        key = _key(op)
        if key is not None:
            waiting.setdefault(key, []).append(op)
    for op in trace.forward_ops:
        key = _key(op)
        if key is not None and waiting.get(key):
            yield op, waiting[key].pop(0)


def _key(op: Op) -> tuple[object, ...] | None:
    """Give the parameters that an operator reads beside what was computed; None for others."""
    names = tuple(name for value in op.inputs if (name := _parameter(value)))
    return (op.name, *names) if names and data_of(op) is not None else None


def _parameter(value: Value) -> str | None:
    while value.producer is not None and value.producer.name in MOVING and value.producer.inputs:
        value = value.producer.inputs[0]
    return value.name if value.kind == "parameter" else None


def data_of(op: Op) -> Value | None:
    """Give the largest operand that was computed: what a layer is given."""
    computed = [v for v in op.inputs if v.is_float and v.producer is not None]
    computed = [v for v in computed if _parameter(v) is None and v.numel >= LEAST_VALUES]
    return max(computed, key=lambda value: value.numel) if computed else None


def _slots(trace: Trace, led: dict[str, Tensor]) -> dict[int, Tensor]:
    return {v.slot: led[v.name] for v in trace.leaves if v.kind == "buffer" and v.name in led}


Pairs = list[tuple[Op, Op]]


@torch.no_grad()
def _given_in_evaluation(trace: Trace, run: Run, pairs: Pairs) -> dict[int, Tensor]:
    """Run evaluation's pass; gives what each layer was given, by its index."""
    layers = {ours.index for ours, _ in pairs}
    unneeded = last_reads(trace)
    said: dict[int, Tensor] = {}
    for op in trace.forward_ops:
        if op.index in layers:
            said[op.index] = _held(run, op).clone()
        run.step(op)
        for slot in unneeded.get(op.index, ()):
            run.tensors.pop(slot, None)
    return said


@torch.no_grad()
def _given_in_training(
    other: Trace, led: dict[str, Tensor], pairs: Pairs, said: dict[int, Tensor], seed: int
) -> dict[int, Tensor]:
    """Run training's pass; before each layer, give it what evaluation's was given.

    Gives what each layer was given before that, by the layer's index in evaluation's pass.
    """
    torch.manual_seed(seed)
    wanted = {theirs.index: ours.index for ours, theirs in pairs}
    run, unneeded = Run(other, inputs=_slots(other, led)), last_reads(other)
    seen: dict[int, Tensor] = {}
    for op in other.forward_ops:
        index = wanted.get(op.index)
        if index is not None and _held(run, op).shape == said[index].shape:
            seen[index] = _held(run, op).clone()
            _force(run, op, said[index])
        run.step(op)
        for slot in unneeded.get(op.index, ()):
            run.tensors.pop(slot, None)
    return seen


def _held(run: Run, layer: Op) -> Tensor:
    value = data_of(layer)
    assert value is not None
    return run.tensors[value.slot]


def _force(run: Run, layer: Op, tensor: Tensor) -> None:
    value = data_of(layer)
    assert value is not None
    try:
        run.tensors[value.slot].copy_(tensor)  # in place: views of it must see it too
    except RuntimeError:
        run.tensors[value.slot] = tensor.clone()


def _gaps(
    pairs: Pairs,
    said: dict[int, Tensor],
    seen: list[dict[int, Tensor]],
    differing: set[int],
    led: dict[str, Tensor],
) -> Iterator[ModeGap]:
    layers = {ours.index for ours, _ in pairs}
    layers_there = {theirs.index for _, theirs in pairs}
    for ours, theirs in pairs:
        near, near_there = _between(ours, layers), _between(theirs, layers_there)
        here = [op for op in near if op.index in differing]
        there = [op for op in near_there if -op.index - 1 in differing]
        drawn = {op.name for op in near_there if op.is_random}
        if ours.index not in seen[0] or not (here or there) or not drawn <= BY_CHANCE:
            continue
        if drawn and len(seen) == 1:
            continue
        read = {v.name for op in near for v in op.inputs if v.kind == "buffer" and v.is_float}
        given = torch.stack([one[ours.index].double() for one in seen if ours.index in one])
        found = _measured(said[ours.index].double(), given)
        if found is not None:
            gap, error, factor = found
            yield ModeGap(
                layer=ours,
                first=min(there or here, key=lambda op: op.index),
                gap=gap,
                error=error,
                factor=factor,
                has_running=bool(read),
                still=tuple(sorted(name for name in read if name not in led)),
            )


def _measured(said: Tensor, given: Tensor) -> tuple[float, float, float] | None:
    """Give the gap, its error, and the factor between both; None where it cannot be told."""
    size = float(said.pow(2).mean().sqrt())
    mean = given.mean(0)
    if not size or not bool(mean.isfinite().all()):
        return None
    error = float(given.var(0).mean().sqrt()) / len(given) ** 0.5 if len(given) > 1 else 0.0
    gap = float((mean - said).pow(2).mean().sqrt())
    return gap / size, error / size, float((mean * said).sum() / said.square().sum())


def _between(layer: Op, layers: set[int]) -> list[Op]:
    """Give the operators before a layer, back to what other layers made."""
    value = data_of(layer)
    found: dict[int, Op] = {}
    waiting = [value] if value is not None else []
    while waiting:
        op = waiting.pop().producer
        if op is None or op.index in found or op.index in layers:
            continue
        found[op.index] = op
        waiting.extend(op.inputs)
    return list(found.values())
