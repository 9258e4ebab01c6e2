"""Running statistics: which move in training, how fast, and which do not."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call

NUM_PASSES = 2
EVEN = 0.01  # by which the share that is kept may differ from value to value
PUSH = 1.0  # by which statistics are pushed, to see how much of it a pass forgets


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """One module's running statistics, of torch's BatchNorm or written by the user.

    - `moves`: whether training passes change them, after `.train()`;
    - `forgets`: the share of the old value that one pass replaces, None where nothing moves;
    - `are_of_the_start`: mean 0 and variance 1, in the given model;
    - `is_frozen`: whether none of the module's own parameters is trained, and it has some;
    - `was_training`: the module's mode in the given model.
    """

    name: str
    kind: str
    moves: bool
    forgets: float | None
    are_of_the_start: bool
    is_frozen: bool
    was_training: bool


def statistics(model: nn.Module, batch: Call) -> tuple[Statistics, ...]:
    """Run some training passes without gradients; push the statistics, and run one more."""
    patient = copy_of(model).train()
    start = _floating_buffers(patient)
    if not start:
        return ()
    try:
        for _ in range(NUM_PASSES):
            _pass(patient, batch)
        pushed = copy_of(patient)
        moved = [n for n, b in _floating_buffers(patient).items() if not torch.equal(b, start[n])]
        for name, buffer in _floating_buffers(pushed, clone=False).items():
            if name in moved:
                buffer.add_(PUSH)
        _pass(patient, batch)
        _pass(pushed, batch)
    except Exception as error:  # Training may want labels, or another batch: that is an answer.
        raise NotObservable("the model cannot run in training mode on these inputs") from error
    plain, after = _floating_buffers(patient), _floating_buffers(pushed)
    kept = {n: (after[n] - plain[n]).double() / PUSH for n in moved}
    forgets = {n: 1 - float(share.mean()) for n, share in kept.items() if _is_blend(share)}
    return tuple(_all_statistics(model, start, forgets))


def _all_statistics(
    model: nn.Module, start: dict[str, Tensor], forgets: dict[str, float]
) -> list[Statistics]:
    found: list[Statistics] = []
    for name, module in model.named_modules():
        own = [n for n in start if n.rpartition(".")[0] == name]
        moving = [forgets[n] for n in own if n in forgets]
        is_norm = isinstance(module, _BatchNorm) and module.track_running_stats
        if not own or not (moving or is_norm):
            continue
        parameters = list(module.parameters(recurse=False))
        found.append(
            Statistics(
                name=name,
                kind=type(module).__name__,
                moves=bool(moving),
                forgets=max(moving) if moving else None,
                are_of_the_start=all(_is_start(start[n]) for n in own),
                is_frozen=bool(parameters) and not any(p.requires_grad for p in parameters),
                was_training=module.training,
            )
        )
    return found


def _is_blend(kept: Tensor) -> bool:
    """Say whether a pass keeps one share of every old value, as running statistics do.

    Queues and vectors of an iteration, as of a spectral norm, do something else.
    """
    spread = float(kept.max() - kept.min())
    return spread < EVEN and -EVEN < float(kept.mean()) < 1 + EVEN


def _is_start(buffer: Tensor) -> bool:
    return bool((buffer == 0).all()) or bool((buffer == 1).all())


def _floating_buffers(model: nn.Module, *, clone: bool = True) -> dict[str, Tensor]:
    named = {n: b for n, b in model.named_buffers() if b.is_floating_point() and b.numel()}
    return {name: buffer.clone() if clone else buffer for name, buffer in named.items()}


@torch.no_grad()
def _pass(model: nn.Module, batch: Call) -> None:
    torch.manual_seed(0)
    batch.mapped(torch.clone)(model)
