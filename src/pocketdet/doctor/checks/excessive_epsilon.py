"""A norm whose epsilon is larger than the variance that it is added to.

## What it finds
Norms, of torch or written out, whose epsilon is a hundredth or more and larger than the variance of
the typical channel.

## Why it costs AP
The epsilon is to keep a division by zero away. Where it is larger than the variance, features are
divided by its root: they are not normalised, and come out the smaller the larger it is.

## Usual causes
- `eps` and `momentum` exchanged, or the value of another library or of a loss.
- An epsilon for features of 0 to 255 in a network whose features are of 0 to 1.

## When it is not a fault
Epsilons below a hundredth, which torch, TensorFlow and all published recipes keep; larger ones
beside variances that are larger still.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Run, Trace
from pocketdet.doctor.trace.between import follow, from_inputs
from pocketdet.doctor.trace.replay import last_reads

UNUSUAL = 0.01  # TensorFlow's is 1e-3, torch's 1e-5
BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
ROOTS = ("sqrt", "sqrt_", "rsqrt", "rsqrt_")
MOVES = ("view", "unsqueeze", "expand", "reshape")


def find_excessive_epsilons(trace: Trace) -> Iterator[Fault]:
    reached = from_inputs(trace)
    wanted = {
        op.index: epsilon
        for op in trace.forward_ops
        if (epsilon := _epsilon(op)) >= UNUSUAL and (op.index in reached or _is_of_a_buffer(op))
    }
    if not wanted:
        return
    run, unneeded = Run(trace), last_reads(trace)
    seen: set[tuple[str | None, str]] = set()
    with torch.no_grad():
        for op in trace.forward_ops:
            if op.index in wanted:
                variance = _variance(op, run)
                place = op.where, str(op.source)
                if 0 < variance < wanted[op.index] and place not in seen:
                    seen.add(place)
                    yield _fault(op, wanted[op.index], variance)
            run.step(op)
            for slot in unneeded.get(op.index, ()):
                run.tensors.pop(slot, None)


def _is_of_a_buffer(op: Op) -> bool:
    return any(value.kind == "buffer" for value in op.inputs)


def _epsilon(op: Op) -> float:
    """Give the epsilon of a norm, or what is added before a root; 0 for all else."""
    names = {argument.name for argument in op.overload._schema.arguments}
    for name in ("eps", "epsilon"):
        if name in names:
            value = op.argument(name)
            return float(value) if isinstance(value, int | float) else 0.0
    added = op.argument("other") if op.name in ("add", "add_") and "other" in names else None
    if isinstance(added, int | float) and any(
        reader.name in ROOTS for reader in follow(op.outputs[0], MOVES)
    ):
        return float(added)
    return 0.0


def _variance(op: Op, run: Run) -> float:
    """Give the variance of the typical channel or sample that an epsilon is added to."""
    if op.name in BATCH_NORMS:
        running = op.input_named("running_var")
        if running is not None and not bool(op.argument("training")):
            return float(run.tensors[running.slot].double().median())
    given = run.tensors[op.inputs[0].slot].double()
    if op.name in ("add", "add_"):
        return float(given.median())
    return float(_rows(op, given).var(1, correction=0).median())


def _rows(op: Op, given: Tensor) -> Tensor:
    if op.name == "native_layer_norm":
        return given.reshape(-1, _product(op.argument("normalized_shape")))
    if op.name == "native_group_norm":
        return given.reshape(given.shape[0] * int(op.argument("group")), -1)
    return given.transpose(0, 1).flatten(1) if given.ndim > 1 else given[None]


def _product(sizes: list[int]) -> int:
    product = 1
    for size in sizes:
        product *= int(size)
    return product


def _fault(op: Op, epsilon: float, variance: float) -> Fault:
    left = (variance / (variance + epsilon)) ** 0.5
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"The epsilon of `{op.name}` is {epsilon:g}, and the typical variance that it is "
        f"added to is {variance:.2g}: what comes out has {left:.2g} of the spread that it should.",
        measured={"epsilon": epsilon, "variance": variance},
        at=op.index,
    )


CHECK = Check(
    id="excessive-epsilon",
    summary="a norm whose epsilon is larger than the variance",
    stage=Stage.CALIBRATION,
    severity=Severity.WARNING,
    remedy="Use the default, 1e-5, or 1e-3 where weights come from TensorFlow.",
    find=find_excessive_epsilons,
)
