"""One module where several were meant.

## What it finds
The same module object under several names: in consecutive places of a `Sequential` or
`ModuleList`, where each call works on what the last one made, or where all of them are given the
same values and so say the same.

## Why it costs AP
A stack of ten blocks has the weights of one; heads that should differ say the same thing. BatchNorm
in it keeps one set of statistics for all places. Every shape is right.

## Usual causes
- `[Block()] * n`, which repeats the object, in place of `[Block() for _ in range(n)]`.
- A block made once before the loop that appends it.

## When it is not a fault
A head shared over pyramid levels or decoder layers (`ModuleList([head] * levels)`): each call works
on another map, and none on another call's result; the check is silent. Weights shared over depth
on purpose by a loop over one module (ALBERT, recurrent blocks) are silent as well, and tied
embeddings, which share a parameter and not a module.
"""

from collections.abc import Iterator

from torch import nn

from pocketdet.doctor.attributes import assigned_line
from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.repetitions import Repetition


def find_repeated_modules(model: nn.Module, repetitions: tuple[Repetition, ...]) -> Iterator[Fault]:
    for repeated in repetitions:
        owners = {name.rpartition(".")[0] for name in repeated.names}
        if repeated.num_calls < 2 or not (repeated.is_chain or repeated.has_same_input):
            continue
        owner = next(iter(owners)) if len(owners) == 1 else ""
        listed = ", ".join(f"`{name}`" for name in repeated.names[:4])
        said = (
            "they are given the same values, and say the same"
            if repeated.has_same_input
            else "each works on what the one before it made, with the same weights"
        )
        same = repeated.has_same_input and not repeated.is_chain
        yield Fault(
            where=owner or repeated.names[1],
            source=assigned_line(model, repeated.names[1]),
            evidence=f"{listed}{' and more' * (len(repeated.names) > 4)} are one module with "
            f"{repeated.numel:,} values, called {repeated.num_calls} times in a pass: {said}.",
            measured={"names": list(repeated.names), "values": repeated.numel},
            severity=Severity.ERROR if same else None,
            at=0,
        )


CHECK = Check(
    id="repeated-module",
    summary="one module in several places where separate ones are meant",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Make each one anew: `[Block() for _ in range(n)]`; where the weights are to be shared, "
    "call one module in a loop, which says so.",
    find=find_repeated_modules,
)
