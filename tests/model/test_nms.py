"""NMS agrees with the definition, written down naively."""

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
import torch
from torch import Tensor

from pocketdet.conventions.boxes import pairwise_iou
from pocketdet.model.nms import batched_nms, detect_per_class


def naive_nms(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> list[int]:
    order = sorted(range(len(scores)), key=lambda i: (-float(scores[i]), i))
    too_close = (pairwise_iou(boxes, boxes) > threshold).tolist()
    group = groups.tolist()
    kept: list[int] = []
    for i in order:
        if not any(group[i] == group[k] and too_close[k][i] for k in kept):
            kept.append(i)
    return kept


def naive_detect(
    boxes: Tensor,
    class_scores: Tensor,
    *,
    score_threshold: float,
    iou_threshold: float,
    max_per_class: int,
    max_per_image: int,
) -> list[tuple[int, int]]:
    survivors: list[tuple[float, int, int]] = []
    for label in range(class_scores.shape[1]):
        scores = class_scores[:, label]
        above = [i for i in range(len(scores)) if float(scores[i]) > score_threshold]
        best = sorted(above, key=lambda i: (-float(scores[i]), i))[:max_per_class]
        kept = naive_nms(
            boxes[best], scores[best], torch.zeros(len(best), dtype=torch.int64), iou_threshold
        )
        survivors += [(-float(scores[best[k]]), label, best[k]) for k in kept]
    return [(label, prior) for _, label, prior in sorted(survivors)[:max_per_image]]


def random_boxes(count: int, spread: float, *, whole: bool = False) -> Tensor:
    low = torch.rand(count, 2) * spread
    boxes = torch.cat([low, low + 5 + torch.rand(count, 2) * 30], dim=1)
    return boxes.round() if whole else boxes


@pytest.mark.parametrize("seed", range(30))
def test_batched_nms_equals_the_naive_rule_with_ties(seed: int) -> None:
    torch.manual_seed(seed)
    count = int(torch.randint(1, 700, ()))
    boxes = random_boxes(count, spread=20.0 + 10 * seed, whole=seed % 2 == 0)
    scores = (torch.rand(count) * 20).round() / 20
    groups = (torch.rand(count) ** 3 * (1 + seed % 7)).long() * 1000 - 2000
    threshold = [0.0, 0.3, 0.45, 0.5, 0.9][seed % 5]
    kept = batched_nms(boxes, scores, groups, threshold)
    assert kept.tolist() == naive_nms(boxes, scores, groups, threshold)


corner = st.integers(0, 12)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(
        st.tuples(corner, corner, corner, corner, st.integers(0, 3), st.integers(0, 2)),
        max_size=40,
    ),
    threshold=st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]),
)
def test_batched_nms_equals_the_naive_rule_on_small_whole_boxes(
    rows: list[tuple[int, ...]], threshold: float
) -> None:
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    low, high = (
        torch.minimum(table[:, :2], table[:, 2:4]),
        torch.maximum(table[:, :2], table[:, 2:4]),
    )
    boxes, scores, groups = torch.cat([low, high], dim=1), table[:, 4], table[:, 5].long()
    kept = batched_nms(boxes, scores, groups, threshold)
    assert kept.tolist() == naive_nms(boxes, scores, groups, threshold)


def test_the_longest_chain_of_suppressions_is_followed_to_its_end() -> None:
    left = torch.arange(500.0) * 4
    boxes = torch.stack([left, left * 0, left + 10, left * 0 + 10], dim=1)
    scores = torch.linspace(1, 0, 500)
    kept = batched_nms(boxes, scores, torch.zeros(500, dtype=torch.int64), 0.4)
    assert kept.tolist() == list(range(0, 500, 2))


def test_groups_stay_apart_however_large_the_coordinates() -> None:
    boxes = torch.tensor([[1e7, 1e7, 1e7 + 10, 1e7 + 10]]).repeat(6, 1)
    groups = torch.tensor([0, 1, 2, 0, 1, 2])
    kept = batched_nms(boxes, torch.linspace(1, 0.5, 6), groups, 0.5)
    assert kept.tolist() == [0, 1, 2]


def test_no_boxes_give_no_indices() -> None:
    kept = batched_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5)
    assert kept.shape == (0,)
    assert kept.dtype == torch.int64


@pytest.mark.parametrize("seed", range(20))
def test_detect_per_class_equals_the_naive_rule_with_ties(seed: int) -> None:
    torch.manual_seed(seed)
    boxes = random_boxes(120, spread=[20.0, 200.0][seed % 2])
    class_scores = (torch.rand(120, 6) * 16).round() / 16
    score_threshold = [0.01, 0.5, 0.95][seed % 3]
    max_per_class, max_per_image = [(7, 5), (50, 60), (400, 1000)][seed % 3]
    found, scores, labels = detect_per_class(
        boxes,
        class_scores,
        score_threshold=score_threshold,
        iou_threshold=0.45,
        max_per_class=max_per_class,
        max_per_image=max_per_image,
    )
    expected = naive_detect(
        boxes,
        class_scores,
        score_threshold=score_threshold,
        iou_threshold=0.45,
        max_per_class=max_per_class,
        max_per_image=max_per_image,
    )
    assert labels.tolist() == [label for label, _ in expected]
    assert torch.equal(found, boxes[[prior for _, prior in expected]])
    assert scores.tolist() == [float(class_scores[prior, label]) for label, prior in expected]


def test_detect_per_class_tries_more_candidates_when_the_best_suppress_each_other() -> None:
    boxes = torch.cat([torch.tensor([[0.0, 0, 10, 10]]).repeat(3000, 1), random_boxes(300, 2000.0)])
    class_scores = torch.linspace(1, 0.5, 3300)[:, None]
    found, _, _ = detect_per_class(
        boxes,
        class_scores,
        score_threshold=0.01,
        iou_threshold=0.5,
        max_per_class=3300,
        max_per_image=100,
    )
    zeros = torch.zeros(3300, dtype=torch.int64)
    expected = naive_nms(boxes, class_scores[:, 0], zeros, 0.5)[:100]
    assert torch.equal(found, boxes[expected])


def test_no_score_above_the_threshold_gives_no_detection() -> None:
    found, scores, labels = detect_per_class(
        random_boxes(50, 100.0),
        torch.full((50, 3), 0.01),
        score_threshold=0.01,
        iou_threshold=0.5,
        max_per_class=400,
        max_per_image=200,
    )
    assert found.shape == (0, 4)
    assert scores.shape == labels.shape == (0,)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("seed", range(5))
def test_a_gpu_keeps_what_the_cpu_keeps(seed: int) -> None:
    torch.manual_seed(seed)
    boxes, class_scores = random_boxes(2000, 300.0), (torch.rand(2000, 9) * 50).round() / 50
    on_cpu, on_gpu = (
        detect_per_class(
            boxes.to(device), class_scores.to(device), score_threshold=0.01, iou_threshold=0.45,
            max_per_class=400, max_per_image=200,
        )
        for device in ("cpu", "cuda")
    )  # fmt: skip
    for expected, found in zip(on_cpu, on_gpu, strict=True):
        assert torch.equal(expected, found.cpu())
