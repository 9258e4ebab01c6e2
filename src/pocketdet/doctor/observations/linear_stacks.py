"""Layers of weights that follow each other with nothing but affine steps between."""

from dataclasses import dataclass
import re

from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.between import follow, from_inputs
from pocketdet.doctor.trace.origin import MOVING

WEIGHTS = frozenset({"convolution", "addmm", "mm", "linear"})
NORMS = frozenset(
    {"native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "batch_norm"}
)
SIMPLE = frozenset({"add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_"})
MERGES = frozenset({"add", "add_", "cat", "mul"})
RESIZES = ("upsample", "pixel_shuffle", "grid_sampler")
RESIZED = "maps of a pyramid, resized"
BENDS = frozenset({"sigmoid", "_softmax", "_log_softmax", "exp", "softplus", "relu", "clamp"})


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearStack:
    """Two layers that are one affine map together.

    - `first`, `second`: their operators; `widths`: channels in, between and out;
    - `explanation`: why it is meant so, None where nothing explains it.
    """

    first: Op
    second: Op
    widths: tuple[int, int, int]
    explanation: str | None


def linear_stacks(trace: Trace) -> tuple[LinearStack, ...]:
    """Find every such pair in which the second alone reads the first."""
    reached = from_inputs(trace)
    found: list[LinearStack] = []
    for second in trace.named(*WEIGHTS):
        if second.index not in reached or _weight(second) is None:
            continue
        first = _layer_before(_data(second), reached)
        if first is not None:
            widths = (_widths(first)[0], _widths(first)[1], _widths(second)[1])
            found.append(
                LinearStack(
                    first=first,
                    second=second,
                    widths=widths,
                    explanation=_explanation(trace, first, second, widths),
                )
            )
    found += _through_depthwise(trace, reached)
    lines = {str(s.second.source) for s in found if s.explanation == RESIZED}
    return tuple(s for s in found if s.explanation is not None or str(s.second.source) not in lines)


def _through_depthwise(trace: Trace, reached: set[int]) -> list[LinearStack]:
    """Find layers of all channels with a depthwise one and nothing else between them.

    Not in the topmost level of a pyramid, which has nothing to be merged with: where the same layer
    of another level reads a merged map.
    """
    found: list[LinearStack] = []
    others: set[str] = set()
    for second in trace.named("convolution"):
        if second.index not in reached or _weight(second) is None or _is_depthwise(second):
            continue
        between = _layer_before(_data(second), reached)
        if between is None or between.name != "convolution" or not _is_depthwise(between):
            continue
        first = _layer_before(_data(between), reached)
        if first is None and _is_of_merge(_data(between), reached):
            others.add(_of_any_level(second))
        if first is None or not _is_dense(first) or not _is_dense(second) or _shrinks(between):
            continue
        widths = (_widths(first)[0], _widths(first)[1], _widths(second)[1])
        if widths[1] >= widths[0] and _has_layers_behind(trace, second):
            found.append(LinearStack(first=first, second=second, widths=widths, explanation=None))
    return [stack for stack in found if _of_any_level(stack.second) not in others]


def _of_any_level(op: Op) -> str:
    return re.sub(r"(^|\.)\d+(?=\.|$)", r"\1#", op.where or "")


def _is_of_merge(value: Value, reached: set[int]) -> bool:
    """Say whether affine steps made a value of several maps, as in a pyramid."""
    op = value.producer
    while op is not None and _is_affine(op, reached):
        op = next((v.producer for v in op.inputs if v.producer is not None), None)
    computed = [v for v in op.inputs if v.producer is not None] if op is not None else []
    return op is not None and op.name in MERGES and len(computed) > 1


def _is_depthwise(op: Op) -> bool:
    return op.name == "convolution" and int(op.argument("groups")) == _widths(op)[0] > 1


def _is_dense(op: Op) -> bool:
    if op.name != "convolution":
        return False
    return int(op.argument("groups")) == 1 and not op.argument("transposed")


def _data(op: Op) -> Value:
    return op.inputs[1] if op.name == "addmm" else op.inputs[0]


def _weight(op: Op) -> Value | None:
    """Give the layer's weight where it is a parameter, moved or not."""
    for value in op.inputs[1:]:
        current = value
        while current.producer is not None and current.producer.name in MOVING:
            current = current.producer.inputs[0]
        if current.kind == "parameter" and len(current.shape) >= 2:
            return current
    return None


def _widths(op: Op) -> tuple[int, int]:
    weight = _weight(op)
    assert weight is not None
    groups = int(op.argument("groups")) if op.name == "convolution" else 1
    return weight.shape[1] * groups, weight.shape[0]


def _layer_before(value: Value, reached: set[int]) -> Op | None:
    """Follow affine steps back to a layer of weights; None where something else is met."""
    current = value
    while current.producer is not None:
        op = current.producer
        readers = {o.index for o in current.consumers if not o.is_backward}
        if len(readers) != 1:
            return None
        if op.name in WEIGHTS:
            return op if _weight(op) is not None and op.index in reached else None
        if not _is_affine(op, reached):
            return None
        current = next(
            (v for v in op.inputs if v.producer is not None and v.producer.index in reached),
            op.inputs[0],
        )
    return None


def _is_affine(op: Op, reached: set[int]) -> bool:
    if op.name in NORMS or (op.name in MOVING and op.name not in ("cat", "stack")):
        return True
    if op.name.startswith("leaky_relu"):
        return float(op.argument("negative_slope")) == 1.0
    others = [v for v in op.inputs if v.producer is None or v.producer.index not in reached]
    return op.name in SIMPLE and len(others) == len(op.inputs) - 1 and all(map(_is_fixed, others))


def _is_fixed(value: Value) -> bool:
    """Say whether a factor or term is a parameter or buffer: one value for all places."""
    current = value
    while current.producer is not None and current.producer.name in MOVING:
        current = current.producer.inputs[0]
    return current.kind in ("parameter", "buffer")


def _explanation(trace: Trace, first: Op, second: Op, widths: tuple[int, int, int]) -> str | None:
    before, between, after = widths
    layers = [op for op in (first, second) if op.name == "convolution"]
    if any(int(op.argument("groups")) > 1 for op in layers):
        return "groups"
    if any(op.argument("transposed") for op in layers) or _shrinks(second):
        return RESIZED
    if between < min(before, after):
        return "a bottleneck"
    kernels = [_kernel(op) for op in (first, second)]
    are_points = all(size == 1 for kernel in kernels for size in kernel)
    if are_points and before >= between < after:
        return "a bottleneck"  # a projection, then an expansion: MobileNetV3's first blocks
    if any(len(set(kernel)) > 1 for kernel in kernels):
        return "a separable kernel"
    if _is_merge(_data(first)):
        return RESIZED
    is_projection = all(size == 1 for size in kernels[0])
    if is_projection and not _has_layers_behind(trace, second):
        return "a predicting layer behind a projection"
    return None


def _shrinks(op: Op) -> bool:
    return op.name == "convolution" and any(int(step) > 1 for step in op.argument("stride"))


def _kernel(op: Op) -> tuple[int, ...]:
    weight = _weight(op)
    assert weight is not None
    return weight.shape[2:] if op.name == "convolution" else (1,)


def _is_merge(value: Value) -> bool:
    """Say whether a value is made of another that was enlarged, as in a pyramid."""
    op = value.producer
    if op is None or op.name not in MERGES:
        return False
    makers = [v.producer.name for v in op.inputs if v.producer is not None]
    return any(maker.startswith(RESIZES) for maker in makers) or op.name == "cat"


def _has_layers_behind(trace: Trace, op: Op) -> bool:
    readers = follow(op.outputs[0], MOVING | SIMPLE | NORMS | BENDS)
    return any(reader.name in WEIGHTS or reader.name == "bmm" for reader in readers)
