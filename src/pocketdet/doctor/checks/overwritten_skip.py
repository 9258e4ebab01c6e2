"""A skip connection whose input an activation in place has overwritten.

## What it finds
A block that applies an activation in place to what it was given, and adds what it was given to its
branch's result afterwards: what is added is the activated one.

## Why it costs AP
The skip is no identity any more: all that is negative is cut off at each block, forward and
backward, and what the block is given changes for whoever else reads it.

## Usual causes
- `nn.ReLU(inplace=True)` as the first step of a pre-activation block.

## When it is not a fault
Activations in place on what the block itself made, as of a norm; blocks that name the activated
features as their input (`x = self.relu(x)`) and mean to add those.
"""

from collections.abc import Iterator

from pocketdet.doctor.attributes import is_rebound
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Trace, Value
from pocketdet.doctor.trace.module_names import common_module

ACTIVATIONS = frozenset(
    {"relu_", "leaky_relu_", "silu_", "hardswish_", "elu_", "hardtanh_", "clamp_min_", "mish_"}
)
ADDITIONS = ("add", "add_")


def find_overwritten_skips(trace: Trace) -> Iterator[Fault]:
    seen: set[str] = set()
    for op in trace.named(*ACTIVATIONS):
        made, before = op.outputs[0], op.inputs[0].producer
        if before is None or op.where is None or str(op.source) in seen:
            continue
        for addition in made.consumers:
            block = _block(op, addition)
            if block is None or _is_in(before.where or "", block):
                continue
            if _comes_from(addition, made, trace) and not (op.source and is_rebound(op.source)):
                seen.add(str(op.source))
                yield _fault(op, addition, block)
                break


def _block(op: Op, addition: Op) -> str | None:
    """Give the innermost module that holds both, None for the network itself."""
    if addition.name not in ADDITIONS or addition.where is None or op.where is None:
        return None
    return common_module([op.where, addition.where]) or None


def _is_in(where: str, block: str) -> bool:
    return where == block or where.startswith(f"{block}.")


def _comes_from(addition: Op, made: Value, trace: Trace) -> bool:
    """Say whether the other operand is made of the activated features too."""
    others = [v for v in addition.inputs if v is not made and v.producer is not None]
    after = trace.follows_from([made])
    return bool(others) and all(
        v.producer is not None and v.producer.index in after for v in others
    )


def _fault(op: Op, addition: Op, block: str) -> Fault:
    line = f" at {addition.source}" if addition.source else ""
    return Fault(
        where=op.where or block,
        source=op.source,
        evidence=f"`{op.name}` overwrites the {'×'.join(map(str, op.outputs[0].shape))} features "
        f"that `{block}` was given, and `{addition.name}`{line} adds them to the branch "
        "afterwards: the skip carries the activated features, not those that came in.",
        measured={"block": block},
        at=op.index,
    )


CHECK = Check(
    id="overwritten-skip",
    summary="a skip whose input was activated in place",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Use `nn.ReLU()` without `inplace=True` where a block's own input is activated.",
    find=find_overwritten_skips,
)
