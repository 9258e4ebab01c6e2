"""A network in evaluation mode that says something else each time.

## What it finds
Outputs that differ between two passes over the same input after `.eval()`, and the first operator
that draws random numbers.

## Why it costs AP
What is random while it is evaluated was meant for training: features are dropped from detections,
the figure changes from run to run, and two checkpoints can no longer be compared. Every other
probe of the network is disturbed as well.

## Usual causes
- `F.dropout(x)` or a bare `torch.rand` without `training=self.training`.
- A block held in a plain Python list: `.eval()` does not reach it, so its dropout stays on.
- Noise layers that do not look at their mode.

## When it is not a fault
Sampling on purpose, such as Monte Carlo dropout: allow the check, with that reason.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.repeated import Repeated
from pocketdet.doctor.trace import Op, Trace

TOLERANCE = 1e-4  # relative; threads that add in another order stay far below it


def find_random_evaluation(trace: Trace, repeated: Repeated) -> Iterator[Fault]:
    if repeated.difference <= TOLERANCE:
        return
    leads_to_outputs = trace.leads_to(list(trace.outputs.values()))
    drawing = [op for op in trace.ops if op.is_random and op.index in leads_to_outputs]
    origin: Op | None = drawing[0] if drawing else None
    through = f" The first random operator on the way is `{origin.name}`." if origin else ""
    yield Fault(
        where=(origin.where or "") if origin else "",
        source=origin.source if origin else None,
        evidence="Two passes over the same input in evaluation mode differ by "
        f"{repeated.difference:.2g} of the outputs' mean size.{through}",
        measured={"difference": repeated.difference},
        at=origin.index if origin else 0,
    )


CHECK = Check(
    id="random-evaluation",
    summary="outputs that are random in evaluation mode",
    stage=Stage.DETERMINISM,
    severity=Severity.ERROR,
    remedy="Pass `training=self.training` to what draws, or use a registered module such as "
    "`nn.Dropout`; keep modules in an `nn.ModuleList` so that `.eval()` reaches them.",
    find=find_random_evaluation,
)
