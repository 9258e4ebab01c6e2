"""A gate whose effect a later operator cancels exactly.

## What it finds
A multiplication of features by a gate (one number for all channels of a place, for a whole
channel, or for a whole map) after which the outputs do not change, whatever the gate says; and the
operator in which the gate's effect vanishes.

## Why it costs AP
The attention is built, counted and computed, and does nothing. Its parameters get no gradient:
x·w / ‖x·w‖ = x / ‖x‖ for every positive w.

## Usual causes
- A spatial gate (one number for all channels of a place) before an L2 normalisation over the
  channels, or before a LayerNorm over them.
- A channel gate before InstanceNorm or another norm over the places of one channel.
- A factor before `F.normalize` or a cosine similarity.

## When it is not a fault
A statistic of the features themselves (x / ‖x‖ before another norm): only gates with parameters
or a squashing function of their own are looked at. A bias that a softmax or a norm subtracts
again. A gate that the norm does not cancel fully is left alone.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.gates import VANISHED, Gate
from pocketdet.doctor.trace import Op, Trace


def find_cancelled_gates(gates: tuple[Gate, ...], trace: Trace) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for gate in gates:
        if gate.effect is None or gate.effect > VANISHED or gate.cancelled_by is None:
            continue
        if (gate.op.where, str(gate.op.source)) not in seen:
            seen.add((gate.op.where, str(gate.op.source)))
            yield _fault(gate, gate.cancelled_by, trace)


def _fault(gate: Gate, by: Op, trace: Trace) -> Fault:
    op = gate.op
    other = next((value for value in op.inputs if value is not gate.gate), gate.gate)
    behind = sorted(trace.parameters_behind(gate.gate) - trace.parameters_behind(other))
    shape = "×".join(map(str, op.outputs[0].shape))
    place = f" at {by.source}" if by.source else ""
    change = "adding something random to" if gate.is_term else "changing"
    size = "" if gate.is_term else " by a random factor between .5 and 2"
    undone = "subtracts" if gate.is_term else "divides"
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"{change.capitalize()} every value of the gate on this {shape} map{size} "
        f"changes the outputs by {gate.effect:.1g} of what other inputs change: "
        f"`{by.name}` in `{by.where or 'the model'}`{place} {undone} it out again."
        + (f" `{behind[0]}` and what else makes the gate is without effect." if behind else ""),
        measured={"effect": gate.effect, "cancelled_by": by.where},
        severity=Severity.WARNING if gate.is_term else None,
        at=op.index,
    )


CHECK = Check(
    id="cancelled-gate",
    summary="a gate whose effect a later normalisation cancels",
    stage=Stage.AXES,
    severity=Severity.ERROR,
    remedy="Put the gate behind the normalisation, or use one that the normalisation does not "
    "divide out: a gate of channels before a norm over channels, one of places before a norm over "
    "places.",
    find=find_cancelled_gates,
    explained_by=("softmax-over-one",),
)
