"""The losses of a head without priors against the papers' formulas, number by number."""

import math

import pytest
import torch

from pocketdet.model import DistanceCoder
from pocketdet.model.cells import place_cells
from pocketdet.model.head import PointPredictions
from pocketdet.train.aligned_loss import (
    aligned_loss,
    distribution_focal_loss,
    generalized_iou,
    quality_focal_loss,
)
from pocketdet.train.aligned_targets import assign_aligned, pad_boxes

CODER = DistanceCoder()
CELLS = place_cells([(8, 8), (4, 4), (2, 2)], (64, 64))


def quality_focal(logit: float, y: float) -> float:
    """Equation 4 of arXiv 2006.04388, β = 2."""
    s = 1 / (1 + math.exp(-logit))
    return -(abs(y - s) ** 2) * ((1 - y) * math.log(1 - s) + y * math.log(s))


def distribution_focal(logits: list[float], y: float) -> float:
    """Equation 6, over the values -0.5, 0.5, 1.5 and so on."""
    total = sum(math.exp(value) for value in logits)
    shares = [math.exp(value) / total for value in logits]
    values = [index - 0.5 for index in range(len(logits))]
    i = max(index for index in range(len(values) - 1) if values[index] <= y)
    below, above = values[i], values[i + 1]
    return -((above - y) * math.log(shares[i]) + (y - below) * math.log(shares[i + 1]))


def giou(a: list[float], b: list[float]) -> float:
    """Algorithm 1 of arXiv 1902.09630."""
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inner = width * height if width > 0 and height > 0 else 0.0
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    union = area_a + area_b - inner
    return inner / union - (hull - union) / hull


def random_boxes(number: int) -> torch.Tensor:
    low = torch.rand(number, 2) * 40
    return torch.cat([low, low + 4 + torch.rand(number, 2) * 20], dim=1)


def random_case(images: int = 3, classes: int = 4):
    predictions = PointPredictions(
        torch.randn(images, len(CELLS), classes) - 2,
        torch.randn(images, len(CELLS), 4, CODER.num_bins),
        CELLS,
    )
    boxes = [random_boxes(number) for number in range(images)]
    labels = [torch.randint(0, classes, (number,)) for number in range(images)]
    return predictions, pad_boxes(boxes, labels)


def test_the_quality_focal_loss_is_equation_4() -> None:
    logits = torch.randn(40) * 3
    wanted = torch.cat([torch.zeros(10), torch.rand(20), torch.ones(10)])
    expected = [quality_focal(x, y) for x, y in zip(logits.tolist(), wanted.tolist(), strict=True)]
    assert quality_focal_loss(logits, wanted).tolist() == pytest.approx(expected, abs=1e-5)


def test_the_quality_focal_loss_is_least_at_the_wanted_score() -> None:
    logits = torch.linspace(-6, 6, 1201)
    wanted = torch.full_like(logits, 0.3)
    best = logits[quality_focal_loss(logits, wanted).argmin()].sigmoid()
    assert float(best) == pytest.approx(0.3, abs=5e-3)


def test_the_distribution_focal_loss_is_equation_6() -> None:
    logits = torch.randn(30, 8) * 2
    distances = torch.rand(30) * 6.9 - 0.5
    distances[:3] = torch.tensor([-0.5, 2.5, 6.49])
    expected = [
        distribution_focal(row, y)
        for row, y in zip(logits.tolist(), distances.tolist(), strict=True)
    ]
    result = distribution_focal_loss(logits, distances, CODER)
    assert result.tolist() == pytest.approx(expected, abs=1e-5)


def test_the_generalised_iou_is_its_algorithm() -> None:
    boxes, others = random_boxes(50), random_boxes(50)
    others[:5] = boxes[:5]
    expected = [giou(a, b) for a, b in zip(boxes.tolist(), others.tolist(), strict=True)]
    result = generalized_iou(boxes, others)
    assert result.tolist() == pytest.approx(expected, abs=1e-5)
    assert result[:5].tolist() == pytest.approx([1.0] * 5)
    assert float(result.min()) < 0


def test_the_whole_loss_is_the_sum_of_its_parts() -> None:
    """Equation 8 with quality weights: λ0 = 2 on GIoU, λ1 = 1/4 on the sum of four sides."""
    predictions, labelled = random_case()
    terms = aligned_loss(predictions, labelled, box_coder=CODER)
    boxes = CODER.decode(predictions.side_logits, CELLS)
    scores = predictions.class_logits.sigmoid()
    targets = assign_aligned(scores, boxes, CELLS, labelled, box_coder=CODER)
    for image in range(3):
        quality = box = total = 0.0
        for cell in range(len(CELLS)):
            matched = bool(targets.matched[image, cell])
            y = float(targets.quality[image, cell]) if matched else 0.0
            for c, logit in enumerate(predictions.class_logits[image, cell].tolist()):
                is_own = matched and c == int(targets.labels[image, cell])
                quality += quality_focal(logit, y if is_own else 0.0)
            if matched:
                wanted = targets.boxes_xyxy[image, cell]
                distances = CODER.encode(wanted, CELLS[cell]).tolist()
                sides = predictions.side_logits[image, cell].tolist()
                focal = sum(map(distribution_focal, sides, distances))
                overlap = giou(boxes[image, cell].tolist(), wanted.tolist())
                box += y * (2 * (1 - overlap) + focal / 4)
            total += y
        assert float(terms.classification[image]) == pytest.approx(quality, rel=1e-4)
        assert float(terms.localization[image]) == pytest.approx(box, rel=1e-4)
        assert float(terms.divisor[image]) == pytest.approx(total, rel=1e-4)


def test_each_image_is_judged_by_itself() -> None:
    predictions, labelled = random_case()
    together = aligned_loss(predictions, labelled, box_coder=CODER)
    for image in range(3):
        one = PointPredictions(
            predictions.class_logits[image : image + 1],
            predictions.side_logits[image : image + 1],
            CELLS,
        )
        present = labelled.present[image]
        alone = aligned_loss(
            one,
            pad_boxes([labelled.boxes_xyxy[image][present]], [labelled.labels[image][present]]),
            box_coder=CODER,
        )
        for name, value in alone.named().items():
            assert torch.allclose(value, together.named()[name][image : image + 1], rtol=1e-5)


def test_an_image_without_boxes_teaches_only_that_nothing_is_there() -> None:
    predictions, _ = random_case(images=1)
    for part in predictions[:2]:
        part.requires_grad_()
    nothing = pad_boxes([torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.int64)])
    terms = aligned_loss(predictions, nothing, box_coder=CODER)
    terms.total().backward()
    assert bool(terms.classification > 0)
    assert not terms.localization.any()
    assert not terms.divisor.any()
    assert bool((predictions.class_logits.grad > 0).all())
    assert not predictions.side_logits.grad.any()


def test_no_gradient_flows_through_the_targets() -> None:
    """The quality that is wanted is a number, or scores would rise by worse boxes."""
    predictions, labelled = random_case(images=2)
    predictions.side_logits.requires_grad_()
    terms = aligned_loss(predictions, labelled, box_coder=CODER)
    assert not terms.classification.requires_grad
    assert not terms.divisor.requires_grad


def test_a_prediction_that_is_no_number_shows_in_its_image_only() -> None:
    predictions, labelled = random_case()
    predictions.class_logits[1] = float("nan")
    predictions.side_logits[2] = float("nan")
    terms = aligned_loss(predictions, labelled, box_coder=CODER)
    assert terms.classification.isfinite().tolist() == [True, False, True]
    assert terms.localization.isfinite().tolist() == [True, True, False]


def test_the_loss_is_float32_under_autocast() -> None:
    predictions, labelled = random_case()
    halved = PointPredictions(
        predictions.class_logits.bfloat16(), predictions.side_logits.bfloat16(), CELLS
    )
    expected = aligned_loss(
        PointPredictions(halved[0].float(), halved[1].float(), CELLS), labelled, box_coder=CODER
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = aligned_loss(halved, labelled, box_coder=CODER)
    assert torch.equal(terms.classification, expected.classification)
    assert torch.equal(terms.localization, expected.localization)
