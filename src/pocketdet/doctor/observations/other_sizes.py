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
    """Passes on other sizes; none where the network takes one size only.

    - `traces`: those that ran the same operators as the trace, in its order;
    - `detours`: those that ran others in between, as a mean over places that is no pooling at
      another size: in them an operator is found again by its name, module and line.
    """

    traces: tuple[Trace, ...]
    detours: tuple[Trace, ...] = ()

    def grows(self, op: Op, axis: int, *, operand: int = 0) -> bool:
        """Say whether an operand's axis has another size in some other pass."""
        size = op.inputs[operand].shape[axis]
        again = [other.ops[op.index] for other in self.traces]
        again += [o for other in self.detours for o in other.named(op.name) if _same(o, op)]
        return any(_size(o, operand, axis) not in (None, size) for o in again)


def other_sizes(settled: nn.Module, batch: Call, trace: Trace) -> OtherSizes:
    """Run the settled copy on a larger image and on another number of samples."""
    larger = next(filter(None, (_try(settled, batch.resized(s, MULTIPLE)) for s in SCALES)), None)
    fuller = _try(settled, batch.of_batch(batch.batch_size + 1))
    ran = [other for other in (larger, fuller) if other is not None]
    path = [op.name for op in trace.ops]
    same = [other for other in ran if [op.name for op in other.ops] == path]
    return OtherSizes(
        traces=tuple(same), detours=tuple(other for other in ran if other not in same)
    )


def _same(op: Op, other: Op) -> bool:
    return op.where == other.where and op.source == other.source


def _size(op: Op, operand: int, axis: int) -> int | None:
    shape = op.inputs[operand].shape if operand < len(op.inputs) else ()
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def _try(settled: nn.Module, call: Call) -> Trace | None:
    patient = copy_of(settled)
    try:
        with torch.no_grad():
            return record(patient, lambda: call(patient), given=call.given)
    except Exception:  # A network may refuse other sizes in any way it likes.
        return None
