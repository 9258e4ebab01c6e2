"""A gate without a bound: features multiplied by what a layer says of them, of any sign and size.

## What it finds
Features multiplied by a factor that is computed from themselves, one for all channels of a place or
for a whole channel, and that comes straight from a convolution, a linear layer or a BatchNorm.

## Why it costs AP
A gate is to weigh features between nothing and all. Without a sigmoid it changes their sign, and
their size grows with the square of what comes in; training is unstable, and stacked gates worse.

## Usual causes
- A sigmoid that was forgotten before the multiplication, or called and its result not used.

## When it is not a fault
A scale with a shift (FiLM, AdaIN), a factor of the form 1 + w, gated linear units, products that
are summed up (attention, bilinear pooling), factors that are computed from something else than
the features: all of these are left alone.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.gates import Gate
from pocketdet.doctor.observations.signals import Signals
from pocketdet.doctor.trace import Op, Value
from pocketdet.doctor.trace.between import follow
from pocketdet.doctor.trace.origin import MOVING, makers

RAW = frozenset({"convolution", "addmm", "mm", "linear", "native_batch_norm"})
SUMS = frozenset({"sum", "bmm", "mm", "matmul", "mean"})
LEAST_NEGATIVE = 0.02  # of the gate's size below zero


def find_unbounded_gates(gates: tuple[Gate, ...], signals: Signals) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for gate in gates:
        op = gate.op
        if gate.is_term or op.name.startswith("div") or (op.where, str(op.source)) in seen:
            continue
        sources = list(makers(gate.gate))
        if len(sources) != 1 or sources[0].name not in RAW:
            continue
        said = signals.of(sources[0])
        features = next((v for v in op.inputs if v is not gate.gate), None)
        if said is None or features is None or said.least > -LEAST_NEGATIVE * said.size:
            continue
        readers = follow(op.outputs[0], MOVING)
        if any(r.name in SUMS or _shifts(r) for r in readers):
            continue
        if not _is_made_of(gate.gate, features):
            continue
        seen.add((op.where, str(op.source)))
        yield Fault(
            where=op.where or "",
            source=op.source,
            evidence=f"These {'×'.join(map(str, features.shape))} features are multiplied by the "
            f"bare result of `{sources[0].name}` in `{sources[0].where or 'the model'}`, which is "
            f"computed from them and reaches from {said.least:.2g} to {said.most:.2g}.",
            measured={"least": said.least, "most": said.most},
            at=op.index,
        )


def _shifts(op: Op) -> bool:
    """Say whether an operator adds one value to several: the shift of a scale and shift."""
    sizes = [value.numel for value in op.inputs]
    return op.name in ("add", "add_") and len(sizes) == 2 and 1 < min(sizes) < max(sizes)


def _is_made_of(gate: Value, features: Value) -> bool:
    """Say whether the gate is computed from the features."""
    moved = {id(features)}
    origin = features
    while origin.producer is not None and origin.producer.name in MOVING:
        origin = origin.producer.inputs[0]
        moved.add(id(origin))
    waiting, seen = [gate], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in moved:
            return True
        if id(current) not in seen and current.producer is not None:
            seen.add(id(current))
            waiting.extend(current.producer.inputs)
    return False


CHECK = Check(
    id="unbounded-gate",
    summary="features multiplied by a gate that has no bound",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Put a sigmoid (or hardsigmoid) on the gate before the multiplication.",
    find=find_unbounded_gates,
)
