"""A loss that does not cost least where the outputs state exactly what they should.

## What it finds
The training loss is called with outputs of the doctor's making: by `encode` and `perfect` such that
state the truth, and such that are wrong in one respect (boxes a little beside, wider or taller,
other classes, another image's objects, an object too many or too few, nothing at all). It reports
what costs no more than the truth, terms of the loss that the truth hardly lowers, and targets that
belong to other images.

## Why it costs AP
Training goes where the loss is low. Where a wrong box or class is as cheap as the right one, or
cheaper, the network learns it, while the loss falls as it should.

## Usual causes
- Centres and sizes, or (x, y, w, h), given to an overlap (IoU, GIoU) of corners.
- Hard negatives that are chosen easiest first; a level or a class that is left out.
- A term with the wrong sign, a weight of zero, or only some of the columns: `[:, :3]`.
- Targets of the loss that are encoded in another way than `encode` does, or in another order.
- Shapes that broadcast, so that each prediction is compared with all targets.

## When it is not a fault
Terms with a floor by nature, such as cross-entropies with soft targets, and sizes of outputs that a
regulariser keeps small, are left alone. A loss whose targets are not the samples' boxes, as far as
can be told from outside, is not judged. A first stage that tells no classes apart, of a network
that has several: allow the check, with that reason.
"""

from collections.abc import Iterator, Mapping, Sequence

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity, SourceLine
from pocketdet.doctor.observations.answer_costs import AnswerCosts
from pocketdet.doctor.observations.loss_sums import LossSum, Share
from pocketdet.doctor.observations.truths import Truths

AS_CHEAP = 1e-5  # of what the truth saves: the loss does not see the difference
CHEAPER = 0.02  # of it, or of what the opposite costs
LEFT = 0.4  # of a term, that the truth must take away more of
COUNTS = 0.02  # of what the truth saves: smaller terms do not matter
MANY = 0.3  # of the objects
SHRINKS = 0.1  # of a term is left where the outputs are zero: it is about their size


def find_unrewarded_truths(answer_costs: AnswerCosts, truths: Truths) -> Iterator[Fault]:
    costs = answer_costs
    saved = costs.nothing.total - costs.truth.total
    yield from _of_other_images(truths)
    if saved <= 0:
        return  # `misread-target` asks for what else it is that the loss wants
    yield from _unasked(costs, saved)
    faults = [*_unseen_moves(costs, saved), *_unseen_classes(costs, saved)]
    yield from faults
    cheaper = list(_cheaper(costs, saved))
    yield from cheaper
    if not cheaper:
        yield from _terms_with_a_floor(costs, saved, {str(f.source) for f in faults})


def _of_other_images(truths: Truths) -> Iterator[Fault]:
    """Find images of samples that are asked for the objects of another one of them."""
    given = [one.number for one in truths.first]
    asked = [None if one is None else one.number for one in truths.samples]
    known = [number for number in asked if number is not None]
    if len(given) > 1 and sorted(known) == given and known != given:
        first = next(n for n in range(len(given)) if given[n] != known[n])
        yield Fault(
            where="",
            evidence=f"The loss of the images of samples {_listed(given)} asks for the objects of "
            f"samples {_listed(known)}, in this order: image {first} is to show what is in "
            f"image {given.index(known[first])}.",
            measured={"images": given, "targets": known},
            remedy="Keep images and targets in one order from the loader to the loss.",
        )
    if truths.deaf:
        slots = _listed(list(truths.deaf))
        yield Fault(
            where="",
            evidence=f"Nothing that the outputs say of image {slots} of the batch of "
            f"{len(truths.samples)} changes the loss.",
            measured={"images": list(truths.deaf)},
            remedy="Compare the outputs of every image of the batch with its targets.",
        )

    pairs = enumerate(zip(truths.samples, truths.first, strict=False))
    own = {n for n, (asked, shown) in pairs if asked is not None and asked.number == shown.number}
    if truths.unwanted and own - set(truths.unwanted):
        slots = _listed(list(truths.unwanted))
        yield Fault(
            where="",
            evidence=f"The loss of image {slots} of the batch of {len(truths.samples)} is lower "
            "where the outputs say that nothing is there than where they state what it shows, and "
            "that of the others is least for their own objects.",
            measured={"images": list(truths.unwanted)},
            remedy="Look at the targets of this image alone: their boxes may be turned or empty.",
        )


def _unasked(costs: AnswerCosts, saved: float) -> Iterator[Fault]:
    """Find objects whose absence costs nothing, and objects that are too many and cost nothing."""
    missing = [one for one in costs.without if one.total - costs.truth.total <= AS_CHEAP * saved]
    if missing:
        share = len(missing) / len(costs.without)
        yield Fault(
            where="",
            evidence=f"Outputs that leave out one object cost no more than the truth for "
            f"{len(missing)} of {len(costs.without)} objects: the loss does not ask for them.",
            measured={"objects": len(missing), "of": len(costs.without)},
            severity=Severity.ERROR if share >= MANY else Severity.WARNING,
            remedy="Let the loss go over all levels, rows and classes that `encode` makes targets "
            "for.",
        )
    if costs.extra is not None and costs.extra.total - costs.truth.total <= AS_CHEAP * saved:
        yield Fault(
            where="",
            source=costs.choice or _line_of_false_objects(costs),
            evidence="Outputs that state the truth, and the objects of another image besides, "
            f"cost no more than the truth ({costs.extra.total:.4g}, {costs.truth.total:.4g}): "
            "nothing punishes false objects.",
            remedy="Let negatives into the loss, the hardest first: sort them in descending order.",
        )


def _line_of_false_objects(costs: AnswerCosts) -> SourceLine | None:
    """Give the term that minds most that objects are not found: what is false is its to punish."""
    pairs = zip(costs.truth.shares, costs.nothing.shares, strict=True)
    rises = [(silent.adds - true.adds, true.source) for true, silent in pairs]
    return max(rises, key=lambda pair: pair[0])[1] if rises else None


def _unseen_moves(costs: AnswerCosts, saved: float) -> Iterator[Fault]:
    unseen = [kind for kind, some in costs.moved.items() if _all_alike(costs.truth, some, saved)]
    if unseen:
        yield Fault(
            where="",
            evidence=f"Boxes that are wrong {' and '.join(unseen)} by 15% cost exactly what right "
            f"ones cost ({costs.truth.total:.4g}): the loss does not look at them"
            f"{'' if len(unseen) < len(costs.moved) else ' in any respect'}.",
            measured={"kinds": unseen},
            remedy="Let the box loss compare all four numbers of a box, with a weight above zero.",
        )


def _all_alike(truth: LossSum, some: Sequence[LossSum], saved: float) -> bool:
    return all(abs(one.total - truth.total) <= AS_CHEAP * saved for one in some)


def _unseen_classes(costs: AnswerCosts, saved: float) -> Iterator[Fault]:
    if costs.relabelled is not None and _all_alike(costs.truth, [costs.relabelled], saved):
        yield Fault(
            where="",
            evidence=f"The right boxes with other classes cost exactly what the truth costs "
            f"({costs.truth.total:.4g}): the loss does not look at classes.",
            severity=Severity.WARNING,
            remedy="Give the classification's term a weight above zero, and the targets' classes.",
        )


def _cheaper(costs: AnswerCosts, saved: float) -> Iterator[Fault]:
    """Find wrong answers that cost less than the truth."""
    whole: dict[str, tuple[LossSum, float]] = {}
    for words, one in (
        ("the objects of another image", costs.others),
        ("the right boxes with other classes", costs.relabelled),
    ):
        if one is not None:
            whole[words] = one, CHEAPER * saved
    for kind, some in costs.moved.items():
        dearest = max(one.total for one in some) - costs.truth.total
        best = min(some, key=lambda one: one.total)
        whole[f"boxes that are wrong {kind} by 15%"] = best, CHEAPER * max(dearest, 0.0)
    least = {words: pair for words, pair in whole.items() if _is_cheaper(costs, *pair, saved)}
    if not least:
        return
    words = min(least, key=lambda name: least[name][0].total)
    yield _cheaper_fault(costs, words, least[words][0], sorted(set(least) - {words}))


def _cheaper_fault(costs: AnswerCosts, words: str, one: LossSum, more: Sequence[str]) -> Fault:
    term = max(
        zip(costs.truth.shares, one.shares, strict=True),
        key=lambda pair: pair[0].adds - pair[1].adds,
        default=None,
    )
    return Fault(
        where="",
        source=term[0].source if term else None,
        evidence=f"Outputs that state the truth cost {costs.truth.total:.4g}, and ones that state "
        f"{words} cost {one.total:.4g}, less{_by_the_term(term)}."
        + (f" So do {_listed(more)}." if more else ""),
        measured={"truth": costs.truth.total, "cheaper": {words: one.total}},
    )


def _is_cheaper(costs: AnswerCosts, one: LossSum, margin: float, saved: float) -> bool:
    return one.total < costs.truth.total - max(margin, 10 * AS_CHEAP * saved)


def _by_the_term(term: tuple[Share, Share] | None) -> str:
    if term is None:
        return ""
    return f": by `{term[0].op}` it is {term[0].adds:.3g} for the truth and {term[1].adds:.3g} then"


def _terms_with_a_floor(costs: AnswerCosts, saved: float, told: set[str]) -> Iterator[Fault]:
    """Find terms about boxes that are nearly as high for the truth as for anything else."""
    if costs.relabelled is None:
        return
    moved = [one for some in costs.moved.values() for one in some]
    for number, share in enumerate(costs.truth.shares):
        true = share.adds
        if share.is_of_logarithms or true < COUNTS * saved or str(share.source) in told:
            continue
        if abs(costs.relabelled.shares[number].adds - true) > AS_CHEAP * saved:
            continue  # about classes: a teacher's, say
        if all(abs(one.shares[number].adds - true) <= AS_CHEAP * saved for one in moved):
            continue  # not about what is stated
        if abs(costs.zero.shares[number].adds) < SHRINKS * true:
            continue
        least = min(one.shares[number].adds for one in (costs.truth, *costs.calmer, *moved))
        wrong = [one for one in (costs.nothing, costs.own, costs.others) if one is not None]
        usual = min(one.shares[number].adds for one in wrong)
        if least >= LEFT * usual:
            yield Fault(
                where="",
                source=share.source,
                evidence=f"A term of the loss, `{share.op}`, is {true:.3g} for outputs that state "
                f"the truth, and {usual:.3g} for ones that do not: what it asks for is not what "
                "the boxes of `encode` are.",
                measured={"truth": true, "wrong": usual},
                severity=Severity.WARNING,
            )


def _listed(names: Sequence[object] | Mapping[str, object]) -> str:
    return ", ".join(map(str, names))


CHECK = Check(
    id="unrewarded-truth",
    summary="a loss that is not lowest for true answers",
    stage=Stage.LOSS,
    severity=Severity.ERROR,
    remedy="Call the loss with the outputs that state its targets exactly: each term must be at "
    "its least there, and rise with every box and class that is wrong.",
    find=find_unrewarded_truths,
    explained_by=("loss-broadcasting", "squashed-twice", "unsound-sample"),
)
