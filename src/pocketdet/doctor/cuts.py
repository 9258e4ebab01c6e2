"""Where the way of a gradient is cut: an operator that autograd follows in, and not out."""

from collections.abc import Collection
from dataclasses import dataclass

from pocketdet.doctor.trace import Op, Trace, Value

FLAT = ("round", "floor", "ceil", "trunc", "sign", "sgn", "heaviside")  # their derivative is 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Way:
    """What the recorded training pass says of some parameters.

    - `is_read`: whether an operator reads one of them;
    - `leads_to_loss`: whether the loss was computed from them;
    - `cut`: the first operator on that way which autograd follows in, and not out;
    - `end`: the last operator that follows from them.
    """

    is_read: bool
    leads_to_loss: bool
    cut: Op | None
    end: Op | None


def way_of(names: Collection[str], training_trace: Trace) -> Way:
    """Follow parameters through the recorded training pass."""
    leaves = [v for v in training_trace.leaves if v.kind == "parameter" and v.name in names]
    forward = {op.index for op in training_trace.forward_ops}
    follows = training_trace.follows_from(leaves) & forward
    before_loss = training_trace.leads_to(list(training_trace.outputs.values()))
    on_the_way = sorted(follows & before_loss)
    ops = training_trace.ops
    return Way(
        is_read=bool(follows),
        leads_to_loss=bool(on_the_way),
        cut=next((ops[i] for i in on_the_way if cuts(ops[i])), None),
        end=ops[max(follows)] if follows else None,
    )


def cuts(op: Op) -> bool:
    """Say whether autograd follows what goes in, and none of what comes out."""
    if op.reads_shape_only:
        return False
    return any(v.requires_grad for v in op.inputs) and not any(v.requires_grad for v in op.outputs)


def name_of_cut(op: Op) -> str:
    """Name the cut as the user wrote it, as far as can be seen."""
    if op.name == "detach":
        return "`detach()` or `.data`"
    if not only_chooses(op):
        return f"`{op.name}`, which runs without gradients (`torch.no_grad()`),"
    return f"`{op.name}`, whose result is whole numbers,"


def only_chooses(op: Op) -> bool:
    """Say whether only whole numbers of its results are used, such as the places of a `topk`."""
    return not any(value.is_float and value.consumers for value in op.outputs)


def first_flat(values: list[Value], trace: Trace) -> Op | None:
    """Give the first operator on the way from here to the loss whose derivative is 0 throughout."""
    on_the_way = trace.follows_from(values) & trace.leads_to(list(trace.outputs.values()))
    flat = [i for i in sorted(on_the_way) if trace.ops[i].name.rstrip("_") in FLAT]
    return trace.ops[flat[0]] if flat else None
