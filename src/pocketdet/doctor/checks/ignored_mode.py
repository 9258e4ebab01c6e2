"""Modules that stay in training mode when the network is evaluated.

## What it finds
Registered modules whose `training` is still True after `model.eval()`, and norms that use the
batch's own statistics in evaluation mode although they keep running ones.

## Why it costs AP
Dropout drops from detections; BatchNorm normalises by whatever else is in the batch.

## Usual causes
- An own `train` or `eval` method that does not pass the mode on.
- `F.batch_norm(..., training=True)`, where `self.training` is meant.
- `.train()` called inside of `forward`.

## When it is not a fault
Monte Carlo dropout and test-time statistics on purpose: allow the check, with that reason. Norms
that are kept in evaluation mode while the rest trains are not looked at here, nor instance norm.
"""

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.dropout import _DropoutNd  # pyright: ignore[reportPrivateUsage]

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Op, Trace

NORMS = ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm")


def find_ignored_modes(model: nn.Module, trace: Trace) -> Iterator[Fault]:
    patient = copy_of(model).eval()
    names: dict[str, str] = {}
    for name, module in patient.named_modules():
        is_moody = isinstance(module, _BatchNorm | _DropoutNd)
        if module.training and is_moody and not (isinstance(module, _DropoutNd) and not module.p):
            names[name] = type(module).__name__
    if names:
        first = next(iter(names))
        yield Fault(
            where=first,
            source=assigned_line(model, first),
            evidence=f"After `model.eval()` {len(names)} modules are still in training mode: "
            f"`{first}` ({names[first]}){' and others' * (len(names) > 1)}.",
            measured={"modules": list(names)},
            at=0,
        )
    for op in trace.named(*NORMS):
        if _uses_the_batch(op) and op.where not in names:
            yield Fault(
                where=op.where or "",
                source=op.source,
                evidence=f"In evaluation mode `{op.name}` normalises a "
                f"{'×'.join(map(str, op.inputs[0].shape))} map by the batch's own statistics, "
                "although running ones are kept.",
                at=op.index,
            )


def _uses_the_batch(op: Op) -> bool:
    """Say whether it is in training mode; instance norm is run as a batch of one."""
    try:
        is_training = bool(op.argument("training"))
        keeps = op.input_named("running_mean") is not None
    except KeyError:
        return False
    return is_training and keeps and op.inputs[0].shape[0] > 1


CHECK = Check(
    id="ignored-mode",
    summary="modules that stay in training mode after eval()",
    stage=Stage.DETERMINISM,
    severity=Severity.ERROR,
    remedy="Let an own `train(mode)` call `super().train(mode)` and return self; give functional "
    "norms and dropout `training=self.training`.",
    find=find_ignored_modes,
)
