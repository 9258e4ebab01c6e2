"""A pass in training mode: with the loss where there is one, without where it can be had so."""

from dataclasses import dataclass

import torch
from torch import nn

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Trace, record


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPass:
    """What ran in training mode; `has_loss`: whether the loss is part of it."""

    trace: Trace
    has_loss: bool


def training_pass(
    model: nn.Module, batch: Call, training_trace: Trace | None = None
) -> TrainingPass:
    """Give the recorded training loss, else record a bare pass in training mode."""
    if training_trace is not None:
        return TrainingPass(trace=training_trace, has_loss=True)
    patient = copy_of(model).train()
    given = batch.mapped(torch.clone)
    try:
        with torch.no_grad():
            found = record(patient, lambda: given(patient), given=given.given)
    except Exception as error:  # Training may want labels, or another batch: that is an answer.
        raise NotObservable("training mode wants more than the inputs") from error
    return TrainingPass(trace=found, has_loss=False)
