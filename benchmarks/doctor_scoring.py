"""When a finding counts: detected, in the right place, and explained.

Written before the doctor's checks were finished, and changed since only to add the names that
checks were given: EXPLAINS lists, for each mechanism in the corpus, the parts of check names that
are an accepted explanation.
"""

from dataclasses import dataclass, field
from typing import Any

from seeded.program import Fault, Program, marked_lines

COUNTED = ("error", "warning")
FIRST = 3

CONSTANT = ("constant", "dead", "one-answer")
NO_GRADIENT = (
    "unreached",
    "without-gradient",
    "detached",
    "cut-off",
    "unregistered",
    "no-gradient",
)
ROUND_TRIP = ("round-trip", "ground-truth", "encode", "decode", "way-back", "box-format")
LABELS = ("label", "class", "categor", "background", *ROUND_TRIP)
ROWS = ("row", "registration", "layout", "scrambl", "order", "level", "agree")
SHIFT = ("shift", "align", "merge", *ROWS)
PRIORS = ("coverage", "prior", "anchor", *ROWS)
AXIS = ("axis", "axes", "softmax", "normal")
DEAD_END = ("unused", "never-used", "dead-end", "lost", "uncalled", *NO_GRADIENT)
MODES = ("train-eval", "gap", "statistics", "batch-norm", "batchnorm", "running")
LOSS = ("loss", "squashed", "floor", "probabilit", "logit")
RANGE = ("one-sided", "relu", "range", "saturat", "clip", "sign", "linear", "overfit", "over-fit")
HALF = ("finite", "overflow", "precision", "half", "nan")

EXPLAINS: dict[str, tuple[str, ...]] = {
    "softmax over a size of one": ("softmax-over-one", "over-one", *CONSTANT, "without-gradient"),
    "normalisation over a size of one": ("over-one", *CONSTANT, "without-gradient"),
    "samples of a batch mix": ("batch-mixing",),
    "attention over the wrong axis": AXIS,
    "softmax over the wrong axis": (*AXIS, *ROUND_TRIP),
    "normalisation over the wrong axis": AXIS,
    "gate squashed by its own size": ("squash", "gate", "vanish", "scale", "softmax"),
    "an effect that a later operator cancels": ("cancelled-gate", "cancel", "without-gradient"),
    "a computed value that nothing uses": DEAD_END,
    "rows out of order": ROWS,
    "levels and strides disagree": (*ROWS, "stride", *PRIORS),
    "a merge that shifts one side": SHIFT,
    "outputs read in another order": (*ROUND_TRIP, *ROWS),
    "anchors that fit nothing": PRIORS,
    "channels and places scrambled": ROWS,
    "labels collide with background": LABELS,
    "a class that can never be found": LABELS,
    "category ids off by one": LABELS,
    "category map is no bijection": LABELS,
    "box formats mixed up": (*ROUND_TRIP, "iou", "overlap", "loss"),
    "encoding and decoding are not inverse": ROUND_TRIP,
    "boxes do not move with their pixels": ("augment", "transform", "marker", "pixels", "boxes"),
    "labels do not stay with their boxes": ("augment", "transform", "label", "marker"),
    "the metric is wrong": ("metric", "evaluat", "average-precision", *ROUND_TRIP),
    "boxes returned at another scale": (*ROUND_TRIP, "scale"),
    "suppression deletes what it should keep": ("suppress", "nms", *ROUND_TRIP),
    "the input is not what the weights expect": (
        "input",
        "contract",
        "preprocess",
        "channel-order",
    ),
    "parts that are not registered": (
        "register",
        "plain-list",
        "unregistered",
        "optimi",
        "batch-mixing",
    ),
    "parameters that the optimizer does not hold": ("optimi", "never-chang", "unchanged"),
    "gradient cut off": NO_GRADIENT,
    "one part under several names": ("shared", "alias", "same-module", "tied", "repeated"),
    "a path that is lost in a merge": ("path", "lost", "merge", *DEAD_END),
    "parameters frozen by mistake": ("frozen", "requires-grad", "optimi", "cannot-train"),
    "a loss term without gradient": ("loss", *NO_GRADIENT, *CONSTANT),
    "a part that is built and never called": DEAD_END,
    "a copy trains instead of the part that is used": ("optimi", "never-chang", "unchanged"),
    "random in eval": ("random",),
    "batch statistics in eval": ("batch-mixing", *MODES),
    "statistics move in a frozen part": ("frozen", *MODES),
    "averaged weights without their buffers": ("average", "ema", *MODES),
    "train and eval compute different things": ("train", "eval", *MODES),
    "an input is changed in place": ("in-place", "inplace", "state", "random", "input"),
    "BatchNorm constants": ("momentum", "epsilon", "constants", *MODES),
    "one scale for values of different size": (
        "quanti",
        "scale",
        "int8",
        "bits",
        "reference",
        "range",
    ),
    "channels kept do not fit those that come": ("prun", "reference", "channels"),
    "probabilities into a loss of logits": LOSS,
    "arguments of a divergence mixed up": (*LOSS, "divergence"),
    "initial loss far from what it should be": ("start", "initial", "prior", "bias", "confident"),
    "the loss has a floor": LOSS,
    "shapes broadcast in the loss": ("broadcast",),
    "the loss grows with the batch": ("batch-size", "scale", "scaling", "duplicat", "loss"),
    "augmentation repeats itself": ("repeat", "augment", "seed", "worker"),
    "a value that half precision cannot hold": HALF,
    "a gradient that is not a number": (*HALF, "sqrt", "zero", "gradient"),
    "the box loss takes rows without a box": ("negatives", "background", "loss", "boxless"),
    "an output cut off at zero": RANGE,
    "convolutions with nothing between them": ("linear", "nonlinear", "activation", "conv"),
    "a gate without bounds": ("gate", "unbounded", "range"),
    "an output that cannot reach its range": RANGE,
    "units that are dead": (*CONSTANT, "relu"),
    "differs from the reference": ("reference",),
}


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
        named = [f for f in new if any(part in f["check"] for part in EXPLAINS[fault.mechanism])]
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
        return any(part in finding["check"] for part in EXPLAINS[fault.mechanism])
    return _is_line(entry, fault, finding["source"])


BESIDE = ("training_loss", "optimizer", "pipeline", "row_boxes")


def _is_line(entry: Program, fault: Fault, source: str | None) -> bool:
    if not source or ":" not in source:
        return False
    name, line = source.rsplit(":", 1)
    file, lines = marked_lines(entry, fault)
    return name == file and int(line) in lines
