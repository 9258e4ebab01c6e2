"""What the classification terms of the training loss say at the very start."""

from dataclasses import dataclass
import math

import torch
from torch import Tensor

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.trace import Op, Run, Trace, lockstep

SOFTMAX_TERMS = ("nll_loss_forward", "nll_loss2d_forward")
SIGMOID_TERMS = ("binary_cross_entropy_with_logits",)


@dataclass(frozen=True, kw_only=True, eq=False)
class LossTerm:
    """A cross-entropy inside the training loss, at the start.

    - `op`: the operator; `num_classes`: 2 for a sigmoid's;
    - `uniform`: what it is where nothing is known, ln(classes);
    - `measured`: its mean over all rows now; `spread`: of the logits.
    """

    op: Op
    num_classes: int
    uniform: float
    measured: float
    spread: float


def loss_start(training_trace: Trace) -> tuple[LossTerm, ...]:
    """Replay the training loss, and measure each cross-entropy in it."""
    terms: list[LossTerm] = []
    wanted = {op.index for op in training_trace.named(*SOFTMAX_TERMS, *SIGMOID_TERMS)}
    if not wanted:
        raise NotObservable("the loss has no cross-entropy that torch computes")
    run = Run(training_trace)
    before: dict[int, Tensor] = {}
    try:
        for op, _ in lockstep(training_trace, [run]):
            if op.name == "_log_softmax":
                before[op.outputs[0].slot] = run.tensors[op.inputs[0].slot].detach().clone()
            if op.index in wanted:
                terms.append(_term(op, run, before))
    except (RuntimeError, KeyError) as error:
        raise NotObservable("the loss cannot be replayed") from error
    return tuple(terms)


def _term(op: Op, run: Run, before: dict[int, Tensor]) -> LossTerm:
    given = run.tensors[op.inputs[0].slot]
    target = run.tensors[op.inputs[1].slot]
    if op.name in SIGMOID_TERMS:
        value = torch.nn.functional.binary_cross_entropy_with_logits(given, target)
        return LossTerm(
            op=op,
            num_classes=2,
            uniform=math.log(2),
            measured=float(value),
            spread=float(given.std()) if given.numel() > 1 else 0.0,
        )
    classes = given.shape[1] if given.ndim > 1 else given.shape[0]
    logits = before.get(op.inputs[0].slot)
    ignored = int(op.argument("ignore_index"))
    value = torch.nn.functional.nll_loss(given, target, ignore_index=ignored)
    return LossTerm(
        op=op,
        num_classes=int(classes),
        uniform=math.log(max(classes, 1)),
        measured=float(value),
        spread=float(logits.std()) if logits is not None and logits.numel() > 1 else 0.0,
    )
