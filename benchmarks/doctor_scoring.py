"""When a finding counts: detected, in the right place, and explained.

EXPLAINS lists the accepted names of checks for each mechanism in the corpus. It was first written,
in words, before the checks were finished; their names alone were filled in since.
"""

from dataclasses import dataclass, field
from typing import Any

from seeded.program import Fault, Program, marked_lines

COUNTED = ("error", "warning")
FIRST = 3

NO_GRADIENT = ("unreached-parameter", "parameter-without-gradient", "term-without-gradient")
DEAD = (
    "unused-result",
    "uncalled-module",
    "unread-channels",
    "lost-input",
    "repeated-operand",
    "overwritten-skip",
    "index-as-feature",
    *NO_GRADIENT,
)
OVER_ONE = ("softmax-over-one", "norm-over-one", "parameter-without-gradient")
AXES = (
    "softmax-over-queries",
    "norm-along-one-side",
    "norm-over-places",
    "normed-position",
    "pooled-channels",
    "crossed-gate",
)
WAY_BACK = ("lost-ground-truth", "unreachable-target")
LABELS = ("unreachable-class", "unsound-sample", "misread-target", *WAY_BACK)
ROWS = (
    "misplaced-row",
    "scrambled-row",
    "scrambled-head",
    "scrambled-map",
    "misread-grid",
    "disagreeing-outputs",
    "shifted-merge",
    "misplaced-answer",
    "one-sided-position",
)
PRIORS = ("ill-fitting-prior", "uncovered-object", "misplaced-row")
AUGMENTED = ("left-behind-box", "unsound-sample", "misread-target")
NOT_HELD = ("unoptimized-parameter", "unregistered-module", "unregistered-weight")
MODES = (
    "running-statistics",
    "ignored-mode",
    "stale-average",
    "differing-modes",
    "lost-update",
)
LOSS = ("squashed-twice", "unlearnable-batch", "unrewarded-truth")
RANGE = ("unreachable-target", "unlearnable-batch", "half-open-chance")
UNEQUAL = ("parting-from-reference",)

EXPLAINS: dict[str, tuple[str, ...]] = {
    "softmax over a size of one": OVER_ONE,
    "normalisation over a size of one": OVER_ONE,
    "samples of a batch mix": ("batch-mixing", "norm-along-one-side"),
    "attention over the wrong axis": AXES,
    "softmax over the wrong axis": (*AXES, *WAY_BACK),
    "normalisation over the wrong axis": AXES,
    "gate squashed by its own size": ("squashed-gate",),
    "an effect that a later operator cancels": ("cancelled-gate", "parameter-without-gradient"),
    "a computed value that nothing uses": DEAD,
    "rows out of order": ROWS,
    "levels and strides disagree": (*ROWS, *PRIORS),
    "a merge that shifts one side": ROWS,
    "outputs read in another order": (*WAY_BACK, *ROWS),
    "anchors that fit nothing": PRIORS,
    "channels and places scrambled": ROWS,
    "labels collide with background": LABELS,
    "a class that can never be found": LABELS,
    "category ids off by one": LABELS,
    "category map is no bijection": LABELS,
    "box formats mixed up": (
        *WAY_BACK,
        "uncovered-object",
        "misassigned-box",
        "unrewarded-truth",
        "misread-target",
    ),
    "encoding and decoding are not inverse": WAY_BACK,
    "boxes do not move with their pixels": AUGMENTED,
    "labels do not stay with their boxes": AUGMENTED,
    "the metric is wrong": ("indifferent-evaluation", *WAY_BACK),
    "boxes returned at another scale": WAY_BACK,
    "suppression deletes what it should keep": (*WAY_BACK, "suppressed-best"),
    "the input is not what the weights expect": ("foreign-input",),
    "parts that are not registered": (*NOT_HELD, "ignored-mode"),
    "parameters that the optimizer does not hold": (*NOT_HELD, "optimizer-settings"),
    "gradient cut off": (*NO_GRADIENT, "lost-path", "index-as-feature"),
    "one part under several names": ("repeated-module", "shared-statistics"),
    "a path that is lost in a merge": (*DEAD, "lost-path"),
    "parameters frozen by mistake": (*NOT_HELD, "frozen-parameter", "unlearnable-batch"),
    "a loss term without gradient": NO_GRADIENT,
    "a part that is built and never called": DEAD,
    "a copy trains instead of the part that is used": (*NOT_HELD, "optimizer-settings"),
    "random in eval": ("random-evaluation", "ignored-mode"),
    "batch statistics in eval": ("batch-mixing", *MODES),
    "statistics move in a frozen part": MODES,
    "averaged weights without their buffers": MODES,
    "train and eval compute different things": MODES,
    "an input is changed in place": ("changed-by-a-pass", "random-evaluation"),
    "BatchNorm constants": (*MODES, "excessive-epsilon"),
    "one scale for values of different size": (*UNEQUAL, "rounded-away"),
    "channels kept do not fit those that come": UNEQUAL,
    "probabilities into a loss of logits": LOSS,
    "arguments of a divergence mixed up": LOSS,
    "initial loss far from what it should be": ("overconfident-start",),
    "the loss has a floor": LOSS,
    "shapes broadcast in the loss": ("loss-broadcasting",),
    "the loss grows with the batch": ("batch-scaled-loss", "unlearnable-batch", "non-finite"),
    "augmentation repeats itself": ("repeated-draws",),
    "a value that half precision cannot hold": ("non-finite", "vanished-constant"),
    "a gradient that is not a number": ("non-finite",),
    "the box loss takes rows without a box": ("boxless-target", "unlearnable-batch"),
    "an output cut off at zero": RANGE,
    "convolutions with nothing between them": ("linear-stack", "uncalled-module"),
    "a gate without bounds": ("unbounded-gate",),
    "an output that cannot reach its range": RANGE,
    "units that are dead": ("dead-units", *NO_GRADIENT),
    "differs from the reference": UNEQUAL,
}
"""Names without a check yet (one-sided-output, coarse-scale, ...) are what we would accept."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of one faulty program."""

    detected: bool
    as_error: bool
    placed: bool
    explained: bool
    by: list[str] = field(default_factory=list)


def counted(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [f for f in findings if f["severity"] in COUNTED]


def judge(
    entry: Program, faulty: list[dict[str, Any]], twin: list[dict[str, Any]]
) -> list[Verdict]:
    """Give one verdict for each fault of the program.

    Detected: an error or warning that the twin does not have. Placed: one of the first three
    findings names the module or the line. Explained: a finding's name is an accepted one.
    With several faults, each must be explained to count as detected.
    """
    before = {(f["check"], f["where"]) for f in counted(twin)}
    new = [f for f in counted(faulty) if (f["check"], f["where"]) not in before]
    leading = counted(faulty)[:FIRST]
    verdicts = []
    for fault in entry.faults:
        named = [f for f in new if f["check"] in EXPLAINS[fault.mechanism]]
        seen = new if len(entry.faults) == 1 else named
        verdicts.append(
            Verdict(
                detected=bool(seen),
                as_error=any(f["severity"] == "error" for f in seen),
                placed=any(f in new and is_place(entry, fault, f) for f in leading),
                explained=bool(named),
                by=sorted({f["check"] for f in seen}),
            )
        )
    return verdicts


def is_place(entry: Program, fault: Fault, finding: dict[str, Any]) -> bool:
    """Say whether a finding names the faulty module, a part of it, or a marked line.

    For a fault beside the model (a loss, an optimizer, a pipeline) the doctor has no module to
    name: the empty name of the model itself is accepted with an accepted explanation.
    """
    where = finding["where"]
    for place in fault.where:
        if where == place or (place and where.startswith(place + ".")):
            return True
    beside = any(p.split(".")[0] in BESIDE for p in fault.where)
    if beside and not where:
        return finding["check"] in EXPLAINS[fault.mechanism]
    return _is_line(entry, fault, finding["source"])


BESIDE = ("training_loss", "optimizer", "pipeline", "row_boxes")


def _is_line(entry: Program, fault: Fault, source: str | None) -> bool:
    if not source or ":" not in source:
        return False
    name, line = source.rsplit(":", 1)
    file, lines = marked_lines(entry, fault)
    return name == file and int(line) in lines
