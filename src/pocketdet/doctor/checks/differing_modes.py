"""A network that computes something else in evaluation than it was trained to.

## What it finds
The same inputs are run in both modes, with torch's own norms and dropouts as they are in
evaluation, and running values brought to where training leads them. Before each layer both modes
are given the same again; told is a layer that is given something else in training: in all passes,
or in the mean over several where dropping makes it random; beside running values, by more than a
third of its size.

## Why it costs AP
All later layers were trained on other features than they see in evaluation: the training loss
falls, and detections are poor.

## Usual causes
- A factor, an activation or a skip under `if self.training` that evaluation lacks, or the reverse.
- An own norm whose running values no pass moves: `self.mean.mul(0.9)` where `mul_` is meant.
- Dropped paths that are not divided by what is kept.

## When it is not a fault
Outputs that evaluation decodes, with no layer behind them; auxiliary heads of training; running
values that come close by training; sampling other than by dropping (Gumbel noise, codebooks); a
teacher or average that answers in evaluation. All of these are left alone. Something else in
evaluation on purpose (a hard choice for a soft one): allow the check, with that reason.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.mode_gaps import ModeGap

LARGEST = 0.05  # of what a layer is given; eight-bit weights in training come within it
LARGEST_OF_STATISTICS = 1 / 3  # two samples' own come within it, in spite of n - 1 for n
ERRORS = 3.0  # of the mean over several draws; the gap of equals is about one
NOT_A_FACTOR = 0.3  # of training's size: what is left beside a mere factor


def find_differing_modes(mode_gaps: tuple[ModeGap, ...]) -> Iterator[Fault]:
    seen: set[str] = set()
    for gap in mode_gaps:
        line = str(gap.first.source)
        allowed = LARGEST_OF_STATISTICS if gap.has_running else LARGEST
        if gap.gap > allowed + ERRORS * gap.error and line not in seen:
            seen.add(line)
            yield _fault(gap)


def _fault(gap: ModeGap) -> Fault:
    op, layer = gap.first, gap.layer
    still = ""
    if gap.still:
        named = ", ".join(f"`{name}`" for name in gap.still[:3])
        still = f" Evaluation takes {named}, which training passes do not move."
    is_factor = abs(gap.factor - 1) > NOT_A_FACTOR * gap.gap
    times = f", in training about {gap.factor:.2g} times as large" if is_factor else ""
    return Fault(
        where=op.where or "",
        source=op.source,
        evidence=f"`{layer.name}` in `{layer.where or 'the model'}` is given something else in "
        f"training than in evaluation, by {gap.gap:.0%} of its size{times}, though all layers "
        f"before it were given the same; `{op.name}` runs in one mode only.{still}",
        measured={"gap": gap.gap, "error": gap.error, "factor": gap.factor},
        severity=Severity.ERROR if gap.still else None,
        at=layer.index,
    )


CHECK = Check(
    id="differing-modes",
    summary="layers that are given something else in training than in evaluation",
    stage=Stage.CALIBRATION,
    severity=Severity.WARNING,
    remedy="Compute the same in both modes, but for norms and dropouts; update running values in "
    "place (`lerp_`, `mul_`, `copy_`), and divide what is kept of a dropped path by its chance.",
    find=find_differing_modes,
    explained_by=("running-statistics", "lost-update"),
)
