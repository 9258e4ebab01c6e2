"""The user's lines within a training loss: where it chooses rows, and where it makes classes."""

from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.trace import Op, Trace

SORTS = ("sort", "topk", "argsort", "kthvalue")
MARKS = ("scatter", "scatter_", "index_put", "index_put_", "eq")  # what one-hot tables are made by
NEGATIVE_LOGS = ("nll_loss_forward", "nll_loss2d_forward", "nll_loss_nd")


def line_of_choice(trace: Trace) -> SourceLine | None:
    """Give the line at which a loss sorts its rows, as to find hard negatives."""
    return next((op.source for op in trace.named(*SORTS) if _is_of_loss(op)), None)


def line_of_classes(trace: Trace) -> SourceLine | None:
    """Give the line at which a loss makes a table of classes, or takes them as they are."""
    marks = [op for op in trace.named(*MARKS) if any(not v.is_float for v in op.inputs)]
    to_loss = trace.leads_to(list(trace.outputs.values()))
    marks = [op for op in marks if op.index in to_loss and _is_of_loss(op)]
    if marks:
        return marks[-1].source
    taken = next((op for op in trace.named(*NEGATIVE_LOGS) if op.index in to_loss), None)
    maker = taken.inputs[1].producer if taken is not None and len(taken.inputs) > 1 else None
    return maker.source if maker is not None else None


def _is_of_loss(op: Op) -> bool:
    return op.where is None and op.source is not None and not op.is_backward
