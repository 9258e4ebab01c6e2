"""The same pass on inputs of other legal sizes: which axes grow with the input, and which never."""

from dataclasses import dataclass

import torch
from torch import nn

from pocketdet.doctor.patient import copy_of
from pocketdet.doctor.trace import Call, Op, Trace, record

SCALES = (2.0, 1.5)  # of images; a network that refuses one may take the other
MULTIPLE = 32  # most networks want sides that are a multiple of their stride


@dataclass(frozen=True, kw_only=True, eq=False)
class OtherSizes:
    """Passes on other sizes that ran the same operators as the trace, one by one.

    - `traces`: their records, the operators in the trace's order; empty where the network takes
      one size only.
    """

    traces: tuple[Trace, ...]

    def grows(self, op: Op, axis: int, *, operand: int = 0) -> bool:
        """Say whether an operand's axis has another size in some other pass."""
        size = op.inputs[operand].shape[axis]
        return any(other.ops[op.index].inputs[operand].shape[axis] != size for other in self.traces)


def other_sizes(settled: nn.Module, batch: Call, trace: Trace) -> OtherSizes:
    """Run the settled copy on a larger image and on another number of samples."""
    larger = next(
        filter(None, (_try(settled, batch.resized(s, MULTIPLE), trace) for s in SCALES)), None
    )
    fuller = _try(settled, batch.of_batch(batch.batch_size + 1), trace)
    return OtherSizes(traces=tuple(other for other in (larger, fuller) if other is not None))


def _try(settled: nn.Module, call: Call, trace: Trace) -> Trace | None:
    patient = copy_of(settled)
    try:
        with torch.no_grad():
            other = record(patient, lambda: call(patient), given=call.given)
    except Exception:  # A network may refuse other sizes in any way it likes.
        return None
    same = [op.name for op in other.ops] == [op.name for op in trace.ops]
    return other if same else None
