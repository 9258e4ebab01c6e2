"""The given inputs as a batch of at least two samples, on which every pass is run."""

from typing import Any

import torch
from torch import nn

from pocketdet.doctor.missing import NotObservable
from pocketdet.doctor.nested import map_tensors
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call

MOST_SAMPLES = 4  # more cost time and show nothing new


def batch(model: nn.Module, inputs: Any) -> Call:
    """Give the user's inputs, detached, with two samples where one was given.

    A single sample is joined by a copy drawn anew. A network that refuses two samples is
    examined on one; the checks that need two then are not run.
    """
    call = Call(map_tensors(inputs, lambda tensor: tensor.detach().clone()))
    if call.batch_size > MOST_SAMPLES and _accepts(model, call.of_batch(MOST_SAMPLES)):
        return call.of_batch(MOST_SAMPLES)
    if call.batch_size == 1 and _accepts(model, call.of_batch(2)):
        return call.of_batch(2)
    return call


def _accepts(model: nn.Module, call: Call) -> bool:
    try:
        with torch.no_grad():
            call(copy_of(model).eval())
    except Exception:  # Any refusal is an answer here.
        return False
    return True


def require_two(call: Call) -> None:
    """Refuse to go on with a single sample, or with samples that have no axis of their own."""
    if call.is_list_of_samples:
        raise NotObservable("the inputs are a list of single images")
    if call.batch_size < 2:
        raise NotObservable("the network takes one sample at a time")
