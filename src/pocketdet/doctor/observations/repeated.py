"""Whether the network in evaluation mode says the same twice."""

from dataclasses import dataclass

import torch
from torch import nn

from pocketdet.doctor.nested import tensors_in
from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Trace, output_difference, record


@dataclass(frozen=True, kw_only=True, eq=False)
class Repeated:
    """Two passes over the same input in evaluation mode, under different random states.

    - `difference`: the largest difference of the outputs, relative to their mean size;
    - `second`: the second pass as recorded;
    - `is_same_path`: whether both ran the same operators.
    """

    difference: float
    second: Trace
    is_same_path: bool


def repeated(settled: nn.Module, batch: Call, trace: Trace) -> Repeated:
    """Run the settled copy once more, under another random state."""
    patient = copy_of(settled)
    given = batch.mapped(torch.clone)
    torch.manual_seed(12345)
    with torch.no_grad():
        second = record(patient, lambda: given(patient), given=given.given)
    return Repeated(
        difference=output_difference(
            dict(tensors_in(trace.result)), dict(tensors_in(second.result))
        ),
        second=second,
        is_same_path=[op.name for op in trace.ops] == [op.name for op in second.ops],
    )
