"""Whether one sample of a batch changes what is said of another, and where that begins."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.observations.batch import require_two
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Op, Run, Trace, lockstep

TOLERANCE = 1e-5  # of a value's size; BLAS gives the same rows to the last bit
LEAST_SHARE = 1e-4  # of an operator's results that must be mixed for it to be the origin


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixing:
    """Values that depend on more than one sample.

    - `mixed_outputs`: path of an output to the share of its values that depend on the first
      sample and on the others;
    - `effect`: the largest change of such a value, relative to the output's mean size;
    - `origin`: the first operator whose operands were not mixed and whose result is, on the way
      to such an output; None where it cannot be followed (another path for other data).
    """

    mixed_outputs: dict[str, float]
    effect: float
    origin: Op | None


def mixing(settled: nn.Module, batch: Call, trace: Trace) -> Mixing:
    """Change the first sample, and all others, and look for what both changes reach.

    No layout is assumed: a value is mixed when both changes change it, wherever it stands.
    """
    require_two(batch)
    first = batch.with_other_samples(slice(0, 1))
    others = batch.with_other_samples(slice(1, None))
    said = [_outputs(settled, call) for call in (batch, first, others)]
    paired = _paired(settled, batch, said[0])
    mixed_outputs: dict[str, float] = {}
    effect = 0.0
    for path, base in said[0].items():
        with_first, with_others = said[1].get(path), said[2].get(path)
        if path in paired or not _comparable(base, with_first, with_others):
            continue
        assert with_first is not None
        assert with_others is not None
        both = changed(base, with_first) & changed(base, with_others)
        if bool(both.any()):
            mixed_outputs[path] = float(both.double().mean())
            scale = float(base.double().abs().mean()) or 1.0
            difference = (base.double() - with_others.double()).abs()[both]
            effect = max(effect, float(difference.max()) / scale)
    origin = _origin(trace, first, others, set(mixed_outputs)) if mixed_outputs else None
    return Mixing(mixed_outputs=mixed_outputs, effect=effect, origin=origin)


@torch.no_grad()
def _outputs(settled: nn.Module, call: Call) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(tensors_in(call.mapped(torch.clone)(copy_of(settled))))


def _paired(settled: nn.Module, batch: Call, base: dict[str, Tensor]) -> set[str]:
    """Name the outputs that compare samples on purpose: two of their axes grow with the batch."""
    try:
        fuller = _outputs(settled, batch.of_batch(batch.batch_size + 1))
    except Exception:  # It takes this number of samples only: nothing can be told.
        return set()
    return {
        path
        for path, now in base.items()
        if path in fuller
        and sum(a != b for a, b in zip(now.shape, fuller[path].shape, strict=False)) > 1
    }


def _comparable(base: Tensor, *others: Tensor | None) -> bool:
    """Leave out scalars: a loss or a count is of the whole batch on purpose."""
    if base.ndim == 0 or base.numel() <= 1:
        return False
    return all(other is not None and other.shape == base.shape for other in others)


def changed(base: Tensor, other: Tensor) -> Tensor:
    """Say for each value whether it changed by more than rounding."""
    if not base.is_floating_point():
        return base != other
    scale = torch.maximum(base.abs(), other.abs())
    typical = base.abs().mean() if base.numel() else scale.new_zeros(())
    differs = (base - other).abs() > TOLERANCE * torch.maximum(scale, typical)
    return differs & ~(base.isnan() & other.isnan())


def _origin(trace: Trace, first: Call, others: Call, outputs: set[str]) -> Op | None:
    on_the_way = trace.leads_to([v for path, v in trace.outputs.items() if path in outputs])
    runs = [Run(trace)]
    for call in (first, others):
        given = dict(call.tensors())
        runs.append(Run(trace, inputs={v.slot: given[path] for path, v in trace.inputs.items()}))
    mixed_slots: set[int] = set()
    try:
        for op, results in lockstep(trace, runs):
            was_mixed = any(value.slot in mixed_slots for value in op.inputs)
            is_mixed = any(
                _share_mixed(*three) > LEAST_SHARE for three in zip(*results, strict=True)
            )
            if is_mixed and not was_mixed and op.index in on_the_way:
                return op
            if is_mixed or was_mixed:
                mixed_slots.update(value.slot for value in op.outputs)
    except (RuntimeError, IndexError, KeyError):
        return None  # other data takes another path through the code
    return None


def _share_mixed(base: Tensor, with_first: Tensor, with_others: Tensor) -> float:
    if not base.numel() or base.shape != with_first.shape or base.shape != with_others.shape:
        return 0.0
    both = changed(base, with_first) & changed(base, with_others)
    return float(both.double().mean())
