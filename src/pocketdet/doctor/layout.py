"""The operators that only move values about, followed back to what computed the values."""

from torch import Tensor

from pocketdet.doctor.trace import Op, Ref
from pocketdet.doctor.trace.graph import Value

MOVING = frozenset(
    {"view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "clone"}
    | {"contiguous", "alias", "detach", "slice", "select", "narrow", "unsqueeze", "squeeze"}
    | {"expand", "flip", "roll", "unbind", "split", "split_with_sizes", "chunk", "unfold"}
)
FOLDING = frozenset(("view", "_unsafe_view", "reshape", "_reshape_alias"))
POINTWISE = frozenset(
    {"sigmoid", "sigmoid_", "relu", "relu_", "exp", "exp_", "tanh", "tanh_", "mul", "mul_", "add"}
    | {"add_", "sub", "sub_", "div", "div_", "clamp", "clamp_", "clamp_min", "clamp_min_", "silu"}
    | {"silu_", "hardsigmoid", "hardswish", "hardswish_", "hardtanh", "hardtanh_", "leaky_relu"}
    | {"leaky_relu_", "elu", "elu_", "gelu", "softplus", "neg", "abs", "pow", "log", "sqrt"}
    | {"native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training", "copy_"}
    | {"_to_copy", "dropout", "native_dropout"}
)


def moved_from(value: Value, *, row: int | None = None) -> list[Op]:
    """Give the moving and pointwise operators that a value came by, the last of them first.

    Where tensors were joined along an axis, `row`, counted along that axis, says which of them to
    follow; without it the first is. The list ends with the operator that computed the values.
    """
    path: list[Op] = []
    while value.producer is not None:
        op = value.producer
        path.append(op)
        if op.name == "cat":
            value, row = _joined(op, row)
        elif op.name in MOVING or op.name in POINTWISE:
            value = _same_sized(op)
        else:
            break
    return path


def _same_sized(op: Op) -> Value:
    """Give the operand that the result has its values from: the largest that was computed."""
    computed = [value for value in op.inputs if value.producer is not None] or list(op.inputs)
    return max(computed, key=lambda value: value.numel)


def _joined(op: Op, row: int | None) -> tuple[Value, int | None]:
    axis = int(op.argument("dim"))
    for value in op.inputs:
        if row is None or not value.shape or row < value.shape[axis]:
            return value, row
        row -= value.shape[axis]
    return op.inputs[0], None


def layout_op(path: list[Op]) -> Op | None:
    """Give the operator that made the rows: the last fold before they were joined with others."""
    joined = max((n for n, op in enumerate(path) if op.name == "cat"), default=-1)
    folds = [op for op in path[joined + 1 :] if op.name in FOLDING]
    folds += [op for op in path if op.name in FOLDING]
    return folds[0] if folds else (path[0] if path else None)


def computing_op(path: list[Op]) -> Op | None:
    """Give the operator that computed the values."""
    return path[-1] if path else None


def moved(op: Op, value: Value, tags: Tensor) -> list[Tensor]:
    """Move tags, one for each entry of an operand, as an operator of `MOVING` moves the entries."""
    if op.name in FOLDING:
        return [tags.reshape(op.outputs[0].shape)]
    args = [tags if isinstance(a, Ref) and a.slot == value.slot else a for a in op.args]
    result = op.overload(*args, **op.kwargs)
    return [result] if isinstance(result, Tensor) else list(result)
