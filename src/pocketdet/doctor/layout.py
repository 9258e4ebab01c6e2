"""The operators that only move values about, followed back to what computed the values."""

from torch import Tensor

from pocketdet.doctor.trace import Op, Ref, Trace
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

KEEPS_LAYOUT = frozenset(
    {
        "relu", "relu_", "silu", "silu_", "gelu", "sigmoid", "tanh", "hardswish", "hardswish_",
        "leaky_relu", "leaky_relu_", "native_batch_norm", "_native_batch_norm_legit_no_training",
        "native_group_norm", "add", "add_", "mul", "mul_", "sub", "div", "pow", "abs", "clone",
        "max_pool2d_with_indices", "avg_pool2d", "upsample_nearest2d", "upsample_bilinear2d",
        "clamp_min", "cat", "exp", "pixel_shuffle", "pixel_unshuffle", "upsample_bicubic2d",
    }
)  # fmt: skip


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


def are_copies(first: Value, second: Value) -> bool:
    """Say whether both are one tensor's values, only moved: shifted on purpose."""
    return _unmoved(first) is _unmoved(second)


def _unmoved(value: Value) -> Value:
    while value.producer is not None and value.producer.inputs:
        is_moved = value.producer.name in MOVING or value.producer.name in (
            "cat",
            "constant_pad_nd",
            "stack",
            "copy_",
        )
        if not is_moved:
            break
        value = value.producer.inputs[-1 if value.producer.name == "copy_" else 0]
    return value


def maps_of(trace: Trace) -> set[int]:
    """Give the ids of the values laid out as (batch, channels, height, width)."""
    maps: set[int] = set()
    for op in trace.forward_ops:
        is_map = op.name == "convolution" or (
            op.name in KEEPS_LAYOUT and any(id(value) in maps for value in op.inputs)
        )
        made = op.outputs[0] if op.outputs else None
        if is_map and made is not None and len(made.shape) == 4 and min(made.shape[2:]) > 1:
            maps.add(id(made))
    return maps
