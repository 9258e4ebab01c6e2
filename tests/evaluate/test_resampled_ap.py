"""AP from stored matches is the reference's AP, of the set itself and of any resample."""

import numpy as np
import pytest
import torch

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.evaluate.coco import ALL, AT_100, coco_scores
from pocketdet.evaluate.resampled import match_images, resampled_ap

CLASSES = ClassList.of(["a", "b", "c"])


def scene(number: int, *, seed: int = 0) -> tuple[list[Detections], list[Sample]]:
    """Boxes, some of them crowds, and detections near them, far from them, and many."""
    rng = np.random.default_rng(seed)
    detections, samples = [], []
    for index in range(number):
        count = int(rng.integers(0, 8))
        corner = rng.uniform(0, 80, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(5, 60, (count, 2))], axis=1)
        labels = rng.integers(0, 3 if index else 2, count)
        crowd = rng.random(count) < 0.1
        samples.append(
            Sample.of(
                torch.zeros(3, 150, 150, dtype=torch.uint8),
                boxes,
                labels,
                crowd=crowd,
                image_id=str(index),
            )
        )
        near = np.repeat(boxes, 2, axis=0) + rng.normal(0, 4, (2 * count, 4))
        others = rng.uniform(0, 70, (130, 2))
        far = np.concatenate([others, others + rng.uniform(5, 60, (130, 2))], axis=1)
        found = np.concatenate([near, far]).astype(np.float32)
        detections.append(
            Detections(
                boxes_xyxy=torch.from_numpy(found),
                scores=torch.from_numpy(rng.random(len(found)).astype(np.float32)),
                labels=torch.from_numpy(
                    np.concatenate([np.repeat(labels, 2), rng.integers(0, 3, 130)])
                ),
            )
        )
    return detections, samples


def reference(detections, samples) -> np.ndarray:
    """(classes, 10), NaN without a box."""
    return coco_scores(detections, samples, CLASSES).precision[..., ALL, AT_100].mean(axis=1).T


def test_the_set_itself_scores_as_the_reference_says() -> None:
    detections, samples = scene(30)
    found = resampled_ap(match_images(detections, samples, CLASSES), np.ones((1, 30)))[0]
    assert found.shape == (3, 10)
    np.testing.assert_allclose(found, reference(detections, samples), atol=1e-9)
    assert 0.02 < found[:, 0].mean() < 0.95


@pytest.mark.parametrize("seed", range(4))
def test_resampled_images_score_like_the_same_images_written_several_times(seed) -> None:
    detections, samples = scene(20, seed=seed)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(20, [1 / 20] * 20, size=5)
    found = resampled_ap(match_images(detections, samples, CLASSES), weights)
    for row, ap in zip(weights, found, strict=True):
        chosen = np.repeat(np.arange(20), row)
        again = reference([detections[i] for i in chosen], [samples[i] for i in chosen])
        np.testing.assert_allclose(ap, again, atol=1e-9)


def test_a_class_without_a_box_has_no_ap() -> None:
    detections, samples = scene(6)
    without = [sample.keep(sample.labels != 2) for sample in samples]
    found = resampled_ap(match_images(detections, without, CLASSES), np.ones((1, 6)))[0]
    assert np.isnan(found[2]).all()
    assert not np.isnan(found[:2]).any()


def test_nothing_found_is_zero() -> None:
    _, samples = scene(6)
    matches = match_images([Detections.empty()] * 6, samples, CLASSES)
    assert (resampled_ap(matches, np.ones((2, 6))) == 0).all()
