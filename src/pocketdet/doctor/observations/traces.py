"""The recorded passes that most checks look at."""

import torch
from torch import Tensor, nn

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.patient import TrainingLoss, copy_of
from pocketdet.doctor.trace import Call, Trace, record
from pocketdet.doctor.trace.module_names import hidden_modules


def trace(settled: nn.Module, batch: Call) -> Trace:
    """Record a forward pass of the settled copy, in evaluation mode, without gradients."""
    patient = copy_of(settled)
    given = batch.mapped(torch.clone)
    with torch.no_grad():
        return record(patient, lambda: given(patient), given=given.given)


def training_trace(model: nn.Module, batch: Call, training_loss: TrainingLoss) -> Trace:
    """Record the training loss of an unsettled copy in training mode, and its backward pass.

    Operators of the loss outside of the model have `where` None. The one output, at the path
    "", is the loss.
    """
    patient = copy_of(model).train()
    given = batch.mapped(torch.clone)
    parts = [patient, *(hidden for _, hidden in hidden_modules(patient))]
    # Only theirs: what the user's function reaches besides must keep its own gradients.
    own = [p for part in parts for p in part.parameters() if p.requires_grad]

    def run() -> Tensor:
        loss = training_loss(patient, given.given)
        if loss.requires_grad and own:
            loss.backward(inputs=own)
        return loss

    found = record(patient, run, given=given.given)
    if [value.numel for value in found.outputs.values()] != [1]:
        raise NotObservable("`training_loss` does not give one number")
    return found
