"""A term of the training loss that has no gradient.

## What it finds
The training loss is taken apart into the terms that are added up in it; a term that autograd does
not follow, or that nothing trainable is behind, is reported with its line.

## Why it costs AP
The term is in the logged loss and teaches nothing: distillation, an auxiliary loss or a box loss is
silently switched off.

## Usual causes
- `loss = loss_a + loss_b.detach()`, or `+ loss_b.item()`, where only the log was meant.
- Predictions that were decoded under `torch.no_grad()`, or whose features are detached.
- Teacher against teacher: the student's output is never used.
- A count of errors (`argmax`, comparisons) used as a loss.

## When it is not a fault
A target that is detached inside a term that has a gradient by its other side (BYOL, SimSiam,
quality targets) is not looked at. Nor is a term whose prediction another term, with a gradient,
compares with the same data: one that ranks examples, or repeats a loss. An output that depends on
the model's weights by a choice alone (the places that `topk` picks) and that is summed with the
others is told as `info`.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.cuts import cuts, name_of_cut, only_chooses
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.trace import Op, Trace, Value

SUMS = ("add", "add_", "stack", "cat", "sum", "mean", "view", "squeeze", "unsqueeze", "_to_copy")
SCALINGS = ("mul", "mul_", "div", "div_")


def find_terms_without_gradient(training_trace: Trace) -> Iterator[Fault]:
    (loss,) = training_trace.outputs.values()
    terms = list(_terms(loss))
    if not any(term.requires_grad for term in terms):
        return  # the whole loss: unreached-parameter says so
    from_inputs = training_trace.follows_from(list(training_trace.inputs.values()))
    learning = {v.name for v in training_trace.leaves if _is_trained(v)}
    for term in terms:
        op = term.producer
        if term.requires_grad or op is None or not term.is_float:
            continue
        trained = training_trace.parameters_behind(term) & learning
        if not trained and op.index not in from_inputs:
            continue  # a constant
        cut = _cut_before(term) if trained else None
        if cut is not None and _is_taught_elsewhere(term, cut, terms):
            continue
        place = cut or op
        yield Fault(
            where=place.where or "",
            source=place.source or op.source,
            evidence=f"A term of the training loss, `{op.name}`"
            f"{f' at {op.source}' if op.source else ''}, has no gradient: " + _why(trained, cut),
            measured={"parameters": len(trained)},
            severity=_severity(trained, cut),
            at=place.index,
        )


def _severity(trained: set[str], cut: Op | None) -> Severity | None:
    if not trained:
        return Severity.WARNING
    is_choice_of_the_model = cut is not None and cut.where is not None and only_chooses(cut)
    return Severity.INFO if is_choice_of_the_model else None


def _why(trained: set[str], cut: Op | None) -> str:
    if not trained:
        return "nothing that is trained is behind it, so that it teaches nothing."
    by = f"{name_of_cut(cut)} cuts it off" if cut is not None else "it is cut off"
    return f"{by} from the {len(trained)} trainable parameters that it is computed from."


def _cut_before(term: Value) -> Op | None:
    """Give the last cut before a term; among several the one that cuts numbers, not choices."""
    found, _ = _to_the_cuts(term)
    ranked = sorted(found, key=lambda op: (only_chooses(op), op.index))
    return ranked[0] if ranked else None


def _is_taught_elsewhere(term: Value, cut: Op, terms: list[Value]) -> bool:
    """Say whether another term teaches the same prediction by the same data.

    Nothing is lost then: the term is a repetition, or ranks examples. A distillation that is cut
    off has its teacher, which no other term knows.
    """
    _, sources = _to_the_cuts(term)
    predictions = {id(v) for v in cut.inputs if v.requires_grad and v.kind == "result"}
    for other in terms:
        if other.requires_grad:
            known = _ancestors(other)
            if predictions & known and sources <= known:
                return True
    return False


def _to_the_cuts(term: Value) -> tuple[list[Op], set[int]]:
    """Follow a term back to what cuts it off; gives the cuts, and the data besides."""
    found: dict[int, Op] = {}
    sources: set[int] = set()
    waiting, seen = [term], set[int]()
    while waiting:
        value = waiting.pop()
        op = value.producer
        if id(value) in seen:
            continue
        seen.add(id(value))
        if op is None:
            if value.numel > 1 and value.kind != "buffer":
                sources.add(id(value))
        elif cuts(op):
            found[op.index] = op
        elif not op.reads_shape_only:
            waiting.extend(op.inputs)
    return list(found.values()), sources


def _ancestors(value: Value) -> set[int]:
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if id(current) not in seen:
            seen.add(id(current))
            if current.producer is not None:
                waiting.extend(current.producer.inputs)
    return seen


def _is_trained(value: Value) -> bool:
    return value.kind == "parameter" and value.requires_grad


def _terms(value: Value) -> Iterator[Value]:
    """Take a sum apart; a product with a constant counts as the other factor."""
    op = value.producer
    if op is None or op.is_backward:
        return
    is_around = op.where is None or value.numel == 1
    if is_around and op.name in SUMS:
        for part in op.inputs:
            yield from _terms(part)
    elif is_around and op.name in SCALINGS and len(factors := _factors(op)) == 1:
        yield from _terms(factors[0])
    else:
        yield value


def _factors(op: Op) -> list[Value]:
    if op.name.startswith("div"):
        return list(op.inputs[:1])
    return [v for v in op.inputs if v.producer is not None] or list(op.inputs[:1])


CHECK = Check(
    id="term-without-gradient",
    summary="a term of the loss that teaches nothing",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Detach only what is logged; let the term be computed from the trained model's outputs, "
    "by operators that have a derivative.",
    find=find_terms_without_gradient,
)
