from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

from pocketdet.conventions import cxcywh_to_xyxy, pairwise_iou
from pocketdet.model import BoxCoder
from pocketdet.train.targets import assign, assign_batch

CODER = BoxCoder()


def grid_priors(cells=8, size=64.0):
    step = size / cells
    centres = (torch.arange(cells) + 0.5) * step
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    sizes = torch.tensor([[12.0, 12.0], [20.0, 10.0], [10.0, 20.0], [30.0, 30.0]])
    centre = torch.stack([x, y], dim=-1).reshape(-1, 1, 2).expand(-1, len(sizes), 2)
    return torch.cat([centre, sizes.expand(len(centre), -1, 2)], dim=-1).reshape(-1, 4)


PRIORS = grid_priors()


def random_boxes(number, seed, *, size=64.0):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, size * 0.9, (number, 2))
    end = np.minimum(corner + rng.uniform(0.5, size * 0.7, (number, 2)), size)
    boxes = torch.tensor(np.concatenate([corner, end], axis=1), dtype=torch.float32)
    return boxes, torch.tensor(rng.integers(0, 5, number))


def naive_assign(boxes, labels, priors, *, iou_threshold=0.5):
    """Caffe's matching, one pair at a time: the largest overlap left is served first."""
    iou = pairwise_iou(boxes, cxcywh_to_xyxy(priors)).double()
    owner = [-1] * len(priors)
    free_boxes, free_priors = set(range(len(boxes))), set(range(len(priors)))
    while free_boxes and free_priors:
        box, prior = max(
            ((b, p) for b in sorted(free_boxes) for p in sorted(free_priors)),
            key=lambda pair: float(iou[pair]),
        )
        owner[prior] = box
        free_boxes.remove(box)
        free_priors.remove(prior)
    for prior in free_priors:
        best = int(iou[:, prior].argmax())
        if iou[best, prior] >= iou_threshold:
            owner[prior] = best
    classes = [0 if box < 0 else int(labels[box]) + 1 for box in owner]
    return torch.tensor(classes), owner


@settings(max_examples=60, deadline=None)
@given(number=st.integers(1, 40), seed=st.integers(0, 10_000))
def test_every_box_has_a_prior_and_deltas_decode_to_the_box(number, seed):
    boxes, labels = random_boxes(number, seed)
    targets = assign(boxes, labels, PRIORS, box_coder=CODER)
    decoded = CODER.decode(targets.deltas, PRIORS)[targets.matched]
    distance = (decoded[:, None] - boxes[None]).abs().amax(dim=2)
    answered = distance < 1e-3
    assert answered.any(dim=1).all(), "a matched prior that answers for no box"
    assert answered.any(dim=0).all(), "a box without a prior"
    assert torch.equal(
        targets.deltas[~targets.matched], torch.zeros(1, 4).expand(int((~targets.matched).sum()), 4)
    )
    nearest = distance.argmin(dim=1)
    assert torch.equal(targets.classes[targets.matched], labels[nearest] + 1)


@pytest.mark.parametrize("seed", range(12))
def test_matching_is_that_of_the_naive_reference(seed):
    priors = grid_priors(cells=4)
    boxes, labels = random_boxes(8, seed, size=64.0)
    targets = assign(boxes, labels, priors, box_coder=CODER)
    classes, owner = naive_assign(boxes, labels, priors)
    assert torch.equal(targets.classes, classes)
    for prior, box in enumerate(owner):
        if box >= 0:
            decoded = CODER.decode(targets.deltas[prior], priors[prior])
            assert torch.allclose(decoded, boxes[box], atol=1e-3)


def test_equal_boxes_each_get_a_prior_of_their_own():
    boxes = torch.tensor([[10.0, 10, 22, 22]] * 9)
    labels = torch.arange(9)
    targets = assign(boxes, labels, PRIORS, box_coder=CODER, iou_threshold=1.1)
    assert sorted(targets.classes[targets.matched].tolist()) == list(range(1, 10))


def test_boxes_that_overlap_no_prior_take_the_nearest():
    priors = torch.tensor([[8.0, 8, 4, 4], [56.0, 56, 4, 4]])
    boxes = torch.tensor([[40.0, 40, 44, 44]])
    targets = assign(boxes, torch.tensor([2]), priors, box_coder=CODER)
    assert targets.classes.tolist() == [0, 3]


def test_more_boxes_than_priors_leave_boxes_out_and_end():
    priors = PRIORS[:3]
    boxes, labels = random_boxes(10, 3)
    targets = assign(boxes, labels, priors, box_coder=CODER)
    assert targets.matched.all()
    assert targets.deltas.isfinite().all()


def test_a_prior_at_exactly_the_threshold_is_matched():
    priors = torch.tensor([[5.0, 5, 10, 10], [5.0, 5, 10, 5], [5.0, 5, 10, 4.9]])
    boxes = torch.tensor([[0.0, 0, 10, 10]])
    targets = assign(boxes, torch.tensor([0]), priors, box_coder=CODER)
    assert targets.classes.tolist() == [1, 1, 0]


def test_a_batch_is_its_images_one_by_one():
    images = [random_boxes(number, number) for number in (3, 0, 17, 1)]
    images[1] = (torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    together = assign_batch(
        [boxes for boxes, _ in images], [labels for _, labels in images], PRIORS, box_coder=CODER
    )
    for place, (boxes, labels) in enumerate(images):
        alone = assign(boxes, labels, PRIORS, box_coder=CODER)
        assert torch.equal(together.classes[place], alone.classes)
        assert torch.equal(together.deltas[place], alone.deltas)


def test_an_image_without_boxes_is_all_background():
    targets = assign(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), PRIORS, box_coder=CODER)
    assert targets.classes.shape == (len(PRIORS),)
    assert not targets.matched.any()
    assert not targets.deltas.any()


@pytest.mark.parametrize(
    "box",
    [
        [5.0, 5, 5, 9],
        [5.0, 5, 9, 5],
        [9.0, 5, 5, 9],
        [5.0, 5, float("nan"), 9],
        [5, 5, float("inf"), 9],
    ],
)
def test_a_degenerate_box_is_refused_in_a_sentence(box):
    boxes = torch.tensor([[1.0, 1, 9, 9], box])
    with pytest.raises(ValueError, match="`boxes_xyxy` must be finite and have x1 < x2"):
        assign(boxes, torch.tensor([0, 1]), PRIORS, box_coder=CODER)
