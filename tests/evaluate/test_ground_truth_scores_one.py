"""The ground truth, sent through every step that a detection takes, scores 1."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pocketdet import recipes
from pocketdet.conventions import ClassList, Detections, InputContract, Sample
from pocketdet.data.loading.batches import eval_batches
from pocketdet.data.open import open_dataset
from pocketdet.data.repair import repair
from pocketdet.evaluate import evaluate_detections
from pocketdet.evaluate.run import in_image_pixels
from pocketdet.model import Detector, DetectorConfig, GFLHead, SSDLiteHead, build
from pocketdet.train.criterion import criterion_of


def truth_through_the_pipeline(detector: Detector, samples: list[Sample]) -> list[Detections]:
    """Fit, encode, state the targets as raw outputs, decode, NMS, back."""
    results: list[Detections] = []
    for batch in eval_batches(samples, detector.contract, batch_size=5, num_workers=0):
        criterion = criterion_of(detector)
        targets = criterion.targets(batch)
        perfect = criterion.perfect(targets, num_classes=len(detector.classes))
        found = detector.decode(perfect)
        results += [
            in_image_pixels(entry, placement, samples[index].size)
            for entry, placement, index in zip(found, batch.placements, batch.indices, strict=True)
        ]
    return results


def scattered_samples(num_classes: int) -> list[Sample]:
    """Make pictures of many sizes; their boxes lie one in a cell, so that NMS keeps all."""
    samples: list[Sample] = []
    for number in range(12):
        height, width = int(torch.randint(90, 500, ())), int(torch.randint(90, 500, ()))
        cells = [(row, column) for row in range(3) for column in range(3)]
        chosen = [cells[i] for i in torch.randperm(9)[: number % 10].tolist()]
        corners = torch.tensor(chosen).reshape(-1, 2).float()
        cell = torch.tensor([width / 3, height / 3])
        low = (corners.flip(1) + torch.rand(len(chosen), 2) * 0.3) * cell
        size = (0.15 + 0.5 * torch.rand(len(chosen), 2)) * cell
        samples.append(
            Sample.of(
                torch.zeros(3, height, width, dtype=torch.uint8),
                torch.cat([low, low + size], dim=1),
                torch.randint(0, num_classes, (len(chosen),)),
                image_id=str(number),
            )
        )
    return samples


CONFIGS = {
    "tiny": recipes.PELEE_TINY,
    "small": recipes.PELEE_SMALL,
    "published": recipes.PELEE,
    "shared weights": replace(recipes.PELEE_TINY, head=SSDLiteHead(priors=recipes.SMALL_PRIORS)),
    "without priors": recipes.PELEE_TINY_GFL,
    "small, without priors": recipes.PELEE_SMALL_GFL,
    "published, without priors": replace(recipes.PELEE, head=GFLHead()),
    "letterbox, odd and not square, without priors": replace(
        recipes.PELEE_TINY_GFL, input=InputContract(height=187, width=251, resize="letterbox")
    ),
    "letterbox, odd and not square": replace(
        recipes.PELEE_TINY, input=InputContract(height=187, width=251, resize="letterbox")
    ),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_the_truth_scores_one_on_scattered_boxes(config: DetectorConfig) -> None:
    detector = build(config, num_classes=4)
    samples = scattered_samples(4)
    found = truth_through_the_pipeline(detector, samples)
    evaluation = evaluate_detections(found, samples, detector.classes)
    assert evaluation.ap50 == pytest.approx(1, abs=1e-9)
    assert evaluation.ap == pytest.approx(1, abs=1e-9)
    assert evaluation.voc07_map50 == pytest.approx(1, abs=1e-9)
    for entry, sample in zip(found, samples, strict=True):
        assert len(entry) == len(sample.labels)
        order, expected = entry.boxes_xyxy.sum(1).argsort(), sample.boxes_xyxy.sum(1).argsort()
        assert torch.allclose(entry.boxes_xyxy[order], sample.boxes_xyxy[expected], atol=0.01)


@pytest.mark.parametrize("head", [recipes.PELEE.head, GFLHead()], ids=["priors", "points"])
def test_the_truth_scores_nearly_one_on_real_pictures(bccd_dir: Path, head) -> None:
    """Cells of one class that overlap by more than NMS allows are all that may be lost."""
    dataset = open_dataset(bccd_dir)
    samples, _ = repair(dataset.split("val")[:40], dataset.classes)
    detector = build(replace(recipes.PELEE, head=head), classes=ClassList.of(dataset.classes))
    found = truth_through_the_pipeline(detector, samples)
    evaluation = evaluate_detections(found, samples, detector.classes)
    assert evaluation.ap50 > 0.95
    lost = evaluation.num_boxes - evaluation.num_detections
    assert 0 <= lost < 0.05 * evaluation.num_boxes
