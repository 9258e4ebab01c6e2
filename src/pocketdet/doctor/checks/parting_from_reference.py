"""Where an altered network and its reference part company.

## What it finds
With `reference=`, the first module at which the altered network's signal differs from the
reference's on shared weights; the first at which signal or gradient is more than ten times larger
or smaller; and modules whose gradient is gone.

## Why it costs AP
The change itself is meant, so the first difference is told as `info`: is it where you changed
something, and nowhere else? A scale that jumps by ten, or a gradient that vanishes behind a change,
starves what comes after it or before it.

## Usual causes
- A second forward path, a skip that is never added, blocks in another order.
- A weight loaded under another name.
- A gate or norm that shrinks its features.

## When it is not a fault
The difference begins at the module that was changed on purpose. The tolerance is what a nudge of
the input as large as rounding grows to at each module, times a hundred.
"""

from collections.abc import Iterator, Sequence

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.beside_reference import BesideReference, Pair

JUMP = 10.0  # times larger or smaller; norms and gates on purpose stay within it
GONE = 1e-6  # of the reference's gradient: none is left


def find_partings(beside_reference: BesideReference) -> Iterator[Fault]:
    pairs = beside_reference.pairs
    differing = (i for i, pair in enumerate(pairs) if pair.difference > pair.tolerance)
    first = next(differing, None)
    if first is None:
        return
    jumps = list(_jumps(pairs, first))
    yield _parting(beside_reference, first, has_jump=bool(jumps))
    yield from jumps


def _jumps(pairs: Sequence[Pair], first: int) -> Iterator[Fault]:
    """Give the first signal that jumps behind the parting, and the gradient that does."""
    for index, pair in enumerate(pairs[first:], start=first):
        if not 1 / JUMP <= pair.scale <= JUMP:
            yield _jump(pair, pair.scale, "signal", index)
            break
    for index, pair in enumerate(pairs):
        if pair.gradient is not None and pair.gradient < GONE:
            yield _jump(pair, pair.gradient, "gradient", index)
            return
    for index, pair in reversed(list(enumerate(pairs))):
        if pair.gradient is not None and not 1 / JUMP <= pair.gradient <= JUMP:
            yield _jump(pair, pair.gradient, "gradient", index)
            return


def _parting(beside: BesideReference, first: int, *, has_jump: bool) -> Fault:
    pair = beside.pairs[first]
    new = [name for before, name in beside.added if before == first and name]
    outermost = [n for n in new if not any(n.startswith(f"{other}.") for other in new)]
    after = f" after `{beside.pairs[first - 1].name}`, where both agree" if first else ""
    added = f"; only the altered network runs {_names(outermost)} in between" if new else ""
    return Fault(
        where=outermost[0] if outermost else pair.name,
        evidence=f"The networks part at `{pair.name or 'the output'}`{after}: results differ by "
        f"{pair.difference:.2g} of their size (rounding explains {pair.tolerance:.1g}){added}. "
        f"{beside.share:.0%} of the parameters are shared.",
        measured={"difference": pair.difference, "tolerance": pair.tolerance},
        severity=Severity.WARNING if has_jump else Severity.INFO,  # the cause comes first
        at=first,
    )


def _names(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown + f" and {len(names) - 3} more" * (len(names) > 3)


def _jump(pair: Pair, ratio: float, what: str, index: int) -> Fault:
    return Fault(
        where=pair.name,
        evidence=f"The {what} of `{pair.name or 'the output'}` is {ratio:.2g} times that of the "
        "reference on shared weights.",
        measured={"ratio": ratio},
        severity=Severity.WARNING,
        at=index + 1_000_000,
    )


CHECK = Check(
    id="parting-from-reference",
    summary="where the altered network parts from its reference",
    stage=Stage.REFERENCE,
    severity=Severity.INFO,
    remedy="Compare this place with what you meant to change; put a norm behind what changes the "
    "scale.",
    find=find_partings,
    explained_by=("softmax-over-one", "batch-mixing", "cancelled-gate"),
)
