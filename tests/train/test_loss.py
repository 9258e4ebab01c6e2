import math

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
import torch

from pocketdet.train.loss import detection_loss, hard_negatives
from pocketdet.train.targets import Targets


def random_case(seed, *, images=3, priors=40, classes=4, share=0.1):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, priors, 1 + classes, generator=generator) * 3
    deltas = torch.randn(images, priors, 4, generator=generator)
    matched = torch.rand(images, priors, generator=generator) < share
    labels = torch.randint(1, 1 + classes, (images, priors), generator=generator)
    wanted = torch.randn(images, priors, 4, generator=generator) * 2
    targets = Targets(
        classes=torch.where(matched, labels, 0), deltas=torch.where(matched[..., None], wanted, 0.0)
    )
    return logits, deltas, targets


def naive_loss(logits, deltas, targets):
    """The same in plain Python, prior by prior."""
    rows = []
    for scores, moves, classes, wanted in zip(
        logits.tolist(),
        deltas.tolist(),
        targets.classes.tolist(),
        targets.deltas.tolist(),
        strict=True,
    ):
        cross_entropy = []
        for score, answer in zip(scores, classes, strict=True):
            highest = max(score)
            total = sum(math.exp(value - highest) for value in score)
            cross_entropy.append(math.log(total) + highest - score[answer])
        positives = [place for place, answer in enumerate(classes) if answer]
        negatives = sorted(
            (place for place, answer in enumerate(classes) if not answer),
            key=lambda place: -cross_entropy[place],
        )[: 3 * max(len(positives), 1)]
        localization = 0.0
        for place in positives:
            for move, want in zip(moves[place], wanted[place], strict=True):
                error = abs(move - want)
                localization += 0.5 * error**2 if error < 1 else error - 0.5
        rows.append((sum(cross_entropy[place] for place in positives + negatives), localization))
    return rows


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.02, 0.1, 0.4, 1.0]))
def test_the_loss_is_that_of_the_naive_reference(seed, share):
    case = random_case(seed, share=share)
    terms = detection_loss(*case)
    expected = torch.tensor(naive_loss(*case))
    assert torch.allclose(terms.classification, expected[:, 0], rtol=1e-5)
    assert torch.allclose(terms.localization, expected[:, 1], rtol=1e-5)
    assert torch.allclose(terms.total(), expected.sum(), rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.05, 0.2, 0.6]))
def test_three_negatives_to_a_match_and_the_hardest(seed, share):
    generator = torch.Generator().manual_seed(seed)
    loss = torch.rand(5, 60, generator=generator)
    matched = torch.rand(5, 60, generator=generator) < share
    negatives = hard_negatives(loss, matched)
    assert not (negatives & matched).any()
    for row in range(5):
        unmatched = int((~matched[row]).sum())
        wanted = min(3 * max(int(matched[row].sum()), 1), unmatched)
        assert int(negatives[row].sum()) == wanted
        left_out = ~negatives[row] & ~matched[row]
        if wanted and left_out.any():
            assert loss[row][negatives[row]].min() >= loss[row][left_out].max()


def test_mining_looks_at_each_image_by_itself():
    logits, deltas, targets = random_case(1)
    together = detection_loss(logits, deltas, targets)
    for place in range(len(logits)):
        one = slice(place, place + 1)
        alone = detection_loss(
            logits[one],
            deltas[one],
            Targets(classes=targets.classes[one], deltas=targets.deltas[one]),
        )
        assert torch.allclose(alone.classification, together.classification[one])
        assert torch.allclose(alone.localization, together.localization[one])


def test_an_image_without_objects_teaches_the_background():
    logits, deltas, targets = random_case(2, share=0.0)
    logits.requires_grad_()
    terms = detection_loss(logits, deltas, targets)
    terms.total().backward()
    assert (terms.classification > 0).all()
    assert not terms.localization.any()
    touched = logits.grad.abs().sum(dim=2) > 0
    assert touched.sum(dim=1).tolist() == [3, 3, 3]


def test_what_is_not_chosen_gets_no_gradient():
    logits, deltas, targets = random_case(3)
    logits.requires_grad_()
    deltas.requires_grad_()
    detection_loss(logits, deltas, targets).total().backward()
    assert not deltas.grad[~targets.matched].any()
    touched = (logits.grad.abs().sum(dim=2) > 0).sum(dim=1)
    assert torch.equal(touched, 4 * targets.matched.sum(dim=1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_loss_is_float32_under_autocast(dtype):
    logits, deltas, targets = random_case(4)
    halved = logits.to(dtype), deltas.to(dtype)
    expected = detection_loss(halved[0].float(), halved[1].float(), targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = detection_loss(*halved, targets)
    assert terms.classification.dtype == torch.float32
    assert torch.equal(terms.classification, expected.classification)
    assert torch.equal(terms.localization, expected.localization)


def test_a_prediction_that_is_no_number_shows_in_its_image():
    logits, deltas, targets = random_case(5)
    logits[1, 0, 0] = float("nan")
    deltas[2, int(targets.matched[2].nonzero()[0]), 1] = float("inf")
    terms = detection_loss(logits, deltas, targets)
    assert terms.classification.isfinite().tolist() == [True, False, True]
    assert terms.localization.isfinite().tolist() == [True, True, False]
