"""Task-aligned assignment against the paper's rule, written out cell by cell."""

import numpy as np
import pytest
import torch

from pocketdet.model import DistanceCoder
from pocketdet.model.cells import place_cells
from pocketdet.train.aligned_targets import LEAST_QUALITY, assign_aligned, pad_boxes

CODER = DistanceCoder()
CELLS = place_cells([(8, 10), (4, 5), (2, 3)], (64, 80))


def random_case(seed: int, *, boxes: int, classes: int = 3):
    """Predictions are somewhat like the boxes, so that alignments differ."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, (boxes, 2))
    truth = np.concatenate([low, low + rng.uniform(8, 30, (boxes, 2))], axis=1)
    labels = rng.integers(0, classes, boxes)
    predicted = CELLS.numpy()[:, [0, 1, 0, 1]] + rng.uniform(5, 20, (len(CELLS), 4)) * (
        -1,
        -1,
        1,
        1,
    )
    scores = rng.uniform(0.01, 0.9, (len(CELLS), classes))
    return truth, labels, predicted, scores


def iou(a, b) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0) * max(height, 0)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def alignments(truth, labels, predicted, scores):
    """t = s · u⁶ of every box with every cell that may answer for it, and u itself."""
    cells = CELLS.numpy()
    aligned, overlap = np.zeros((len(truth), len(cells))), np.zeros((len(truth), len(cells)))
    for i, (box, label) in enumerate(zip(truth, labels, strict=True)):
        for j, (x, y, w, h) in enumerate(cells):
            overlap[i, j] = iou(box, predicted[j])
            sides = ((x - box[0]) / w, (y - box[1]) / h, (box[2] - x) / w, (box[3] - y) / h)
            if min(sides) > 0 and max(sides) <= 6.5:
                aligned[i, j] = scores[j, label] * overlap[i, j] ** 6
    return aligned, overlap


def by_the_rule(truth, labels, predicted, scores):
    """Section 3.2 of arXiv 2108.07755: α = 1, β = 6, m = 13; then t̂ normalised per instance."""
    aligned, overlap = alignments(truth, labels, predicted, scores)
    chosen = np.zeros_like(aligned, dtype=bool)
    for i in range(len(truth)):
        best = np.argsort(-aligned[i], kind="stable")[:13]
        chosen[i, best] = aligned[i, best] > 0
    cell_box = np.full(len(CELLS), -1)
    for j in range(len(CELLS)):
        if chosen[:, j].any():
            cell_box[j] = max(np.flatnonzero(chosen[:, j]), key=lambda i: overlap[i, j])
    quality = np.zeros(len(CELLS))
    for i in range(len(truth)):
        own = np.flatnonzero(cell_box == i)
        if len(own):
            quality[own] = aligned[i, own] / aligned[i, own].max() * overlap[i, own].max()
    return cell_box, quality


def assign(truth, labels, predicted, scores):
    return assign_aligned(
        torch.tensor(scores)[None].float(),
        torch.tensor(predicted)[None].float(),
        CELLS,
        pad_boxes([torch.tensor(truth).float().reshape(-1, 4)], [torch.tensor(labels)]),
        box_coder=CODER,
    )


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_papers_rule(seed: int) -> None:
    case = random_case(seed, boxes=1 + seed % 5)
    cell_box, quality = by_the_rule(*case)
    assert set(cell_box) >= set(range(len(case[0]))), "a case in which no box is forced"
    targets = assign(*case)
    assert torch.equal(targets.matched[0], torch.tensor(cell_box >= 0))
    assert targets.quality[0].numpy() == pytest.approx(quality, abs=1e-5)
    matched = cell_box >= 0
    assert targets.labels[0].numpy()[matched].tolist() == case[1][cell_box[matched]].tolist()
    assert targets.boxes_xyxy[0].numpy()[matched] == pytest.approx(case[0][cell_box[matched]])


def test_a_box_between_all_centres_gets_the_nearest_cell() -> None:
    box = np.array([[29.0, 29.0, 34.0, 34.0]])  # the finest centres: 28, 36
    _, labels, predicted, scores = random_case(0, boxes=1)
    targets = assign(box, labels, predicted, scores)
    assert int(targets.matched.sum()) == 1
    cell = CELLS[targets.matched[0]][0]
    assert cell.tolist() == [28, 28, 8, 8]
    distances = CODER.encode(torch.tensor(box).float(), cell)
    assert bool((distances >= CODER.lowest).all())
    assert float(targets.quality.max()) >= LEAST_QUALITY


def test_every_box_has_a_cell_even_when_nothing_overlaps_it() -> None:
    truth, labels, predicted, scores = random_case(1, boxes=5)
    targets = assign(truth, labels, predicted + 500, scores)
    answered = targets.boxes_xyxy[0][targets.matched[0]].double().numpy()
    for box in truth:
        assert any(np.allclose(box, one, atol=1e-4) for one in answered)
    assert float(targets.quality[targets.matched].min()) >= LEAST_QUALITY - 1e-6


def test_a_box_that_a_cell_cannot_state_is_not_its_own() -> None:
    whole = np.array([[0.0, 0.0, 80.0, 64.0]])
    _, labels, predicted, scores = random_case(2, boxes=1)
    targets = assign(whole, labels, predicted, scores)
    reached = CODER.encode(torch.tensor(whole).float(), CELLS[targets.matched[0]])
    assert bool((reached <= CODER.highest).all())
    assert bool(targets.matched.any())


def test_equal_alignments_are_settled_in_order() -> None:
    truth, labels, _, scores = random_case(3, boxes=1)
    truth[:] = (0, 0, 60, 60)
    same = np.tile((0.0, 0.0, 50.0, 50.0), (len(CELLS), 1))
    first = assign(truth, labels, same, np.full_like(scores, 0.5))
    again = assign(truth, labels, same, np.full_like(scores, 0.5))
    assert int(first.matched.sum()) == 13
    assert torch.equal(first.matched, again.matched)


def test_padding_changes_nothing_and_bad_boxes_are_refused() -> None:
    one, two = torch.tensor([[1.0, 2, 9, 9]]), torch.tensor([[0.0, 0, 30, 30], [5.0, 5, 9, 9]])
    labelled = pad_boxes(
        [one, one[:0], two], [torch.tensor([2]), torch.zeros(0).long(), torch.tensor([0, 1])]
    )
    assert labelled.present.tolist() == [[True, False], [False, False], [True, True]]
    assert labelled.labels.tolist() == [[2, 0], [0, 0], [0, 1]]
    with pytest.raises(ValueError, match="x1 < x2"):
        pad_boxes([torch.tensor([[3.0, 3, 3, 9]])], [torch.tensor([0])])
