"""A gate that squashes its features: shares of a whole, used as factors.

## What it finds
Features multiplied by non-negative factors that sum to 1 over many places or channels, as
a softmax's results do, where the products are not summed up again. With N elements each factor is
1/N on average, and the features that come out are smaller by that.

## Why it costs AP
What leaves the gate is hundreds of times smaller than what came in, and smaller still on a larger
map: the size of the features depends on the size of the image. Behind a residual addition the
attention does nothing; without one the layers behind it start from almost zero.

## Usual causes
- A spatial attention that takes a softmax over all H·W places where a sigmoid is meant.
- A channel attention with a softmax over all channels.
- An attention pooling whose sum was forgotten, or is a mean.

## When it is not a fault
An attention-weighted sum (attention pooling, soft-argmax, a global context block) and a matrix
product, which add the shares up again; a softmax over a few branches (fewer than 16); shares that
are multiplied by N. All of these are left alone. Before a normalisation, which restores the size,
it is a warning.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.other_sizes import OtherSizes
from pocketdet.doctor.observations.shares import Share
from pocketdet.doctor.observations.signals import Signals
from pocketdet.doctor.trace import Op, Trace
from pocketdet.doctor.trace.between import follow, reads_parameters
from pocketdet.doctor.trace.origin import MOVING

SUMS = frozenset({"sum", "bmm", "mm", "matmul", "cumsum", "logsumexp", "linalg_vector_norm", "dot"})
NORMS = frozenset(
    {
        "native_batch_norm", "native_layer_norm", "native_group_norm", "batch_norm",
        "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm",
    }
)  # fmt: skip
SCALES = frozenset({"mul", "mul_", "div", "div_"})
LINEAR = MOVING | {"convolution", "addmm", "mm", "linear", "_to_copy", "add", "add_"}
ENOUGH_LEFT = 0.25  # of the features' size, after what multiplies the shares again


def find_squashed_gates(
    trace: Trace, shares: tuple[Share, ...], signals: Signals, other_sizes: OtherSizes
) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for share in shares:
        op = share.op
        if (op.where, str(op.source)) in seen or not _is_read_by_layers(trace, op):
            continue
        left = _left_in_the_end(share, signals)
        if left is None or left > ENOUGH_LEFT:
            continue
        seen.add((op.where, str(op.source)))
        yield _fault(share, left, other_sizes)


def _is_read_by_layers(trace: Trace, op: Op) -> bool:
    """Say whether a layer stands behind it: probabilities at the end may be multiplied."""
    return any(reads_parameters(trace.ops[i]) for i in trace.follows_from(list(op.outputs)))


def _left_in_the_end(share: Share, signals: Signals) -> float | None:
    """Give the size that is left after what scales the product again; None where it is summed."""
    product = signals.of(share.op)
    left = share.left
    for op in follow(share.op.outputs[0], MOVING | SCALES | {"_to_copy"}):
        if op.name in SUMS:
            return None
        scaled = signals.of(op)
        if op.name in SCALES and product is not None and scaled is not None and product.size:
            left = max(left, share.left * scaled.size / product.size)
    return left


def _fault(share: Share, left: float, other_sizes: OtherSizes) -> Fault:
    op = share.op
    features = "×".join(map(str, op.inputs[1 - share.which].shape))
    axes = " and ".join(map(str, share.axes))
    plural = "axis" if len(share.axes) == 1 else "axes"
    grows = any(other_sizes.grows(op, axis, operand=share.which) for axis in share.axes)
    restored = any(o.name in NORMS for o in follow(op.outputs[0], LINEAR | SCALES))
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"The factors on these {features} features sum to 1 over "
        f"{plural} {axes}, {share.count:,} elements, and are {1 / share.count:.1g} on "
        f"average: they leave {left:.2%} of the features' size."
        + (" On a larger map it is less." if grows else "")
        + (" A normalisation behind it restores the size." if restored else ""),
        measured={"elements": share.count, "left": left, "grows": grows, "restored": restored},
        severity=Severity.WARNING if restored else None,
        at=op.index,
    )


CHECK = Check(
    id="squashed-gate",
    summary="a gate whose factors are shares of a whole, so that the features nearly vanish",
    stage=Stage.AXES,
    severity=Severity.ERROR,
    remedy="Use a sigmoid for a gate; where shares are meant, sum the products up over the "
    "softmax's axis, or multiply the softmax by its number of elements.",
    find=find_squashed_gates,
)
