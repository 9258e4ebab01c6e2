"""A detector runs over samples and leaves itself as it was."""

from dataclasses import replace

import pytest
import torch

from pocketdet import recipes
from pocketdet.conventions import ClassList, InputContract, Sample
from pocketdet.evaluate import RunSettings, evaluate_detector, run_detector
from pocketdet.evaluate.class_match import labels_by_name
from pocketdet.model import DecodeSettings, Detector, build

CLASSES = ClassList.of(["cat", "dog", "bird"])


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return build(recipes.PELEE_TINY, classes=CLASSES)


def make_samples(count: int) -> list[Sample]:
    return [
        Sample.of(
            torch.randint(0, 256, (3, 60 + 7 * number, 130 - 9 * number), dtype=torch.uint8),
            [[5.0, 5.0, 40.0, 40.0]],
            [number % 3],
            image_id=str(number),
        )
        for number in range(count)
    ]


def test_detections_are_in_pixels_of_each_image_and_inside_it(detector: Detector) -> None:
    samples = make_samples(5)
    settings = RunSettings(
        batch_size=2, decode=DecodeSettings(score_threshold=0.05, max_per_image=50)
    )
    found = run_detector(detector, samples, settings)
    assert len(found) == 5
    for entry, sample in zip(found, samples, strict=True):
        height, width = sample.size
        assert 0 < len(entry) <= 50
        assert (entry.boxes_xyxy >= 0).all()
        assert (entry.boxes_xyxy <= torch.tensor([width, height, width, height]) + 1e-3).all()
        assert entry.scores.diff().le(0).all()


def test_neither_batch_size_nor_workers_change_what_is_found(detector: Detector) -> None:
    samples = make_samples(5)
    one_by_one = run_detector(detector, samples, RunSettings(batch_size=1))
    for settings in (RunSettings(batch_size=4), RunSettings(batch_size=3, num_workers=1)):
        for first, second in zip(
            one_by_one, run_detector(detector, samples, settings), strict=True
        ):
            assert torch.allclose(first.scores, second.scores, atol=1e-5)


def test_it_agrees_with_predict_on_one_picture(detector: Detector) -> None:
    sample = make_samples(3)[2]
    (found,) = run_detector(detector, [sample])
    predicted = detector.predict(sample.image, score=0.01)
    assert torch.allclose(found.boxes_xyxy, predicted.boxes_xyxy, atol=1e-3)
    assert torch.allclose(found.scores, predicted.scores, atol=1e-5)


def test_every_part_is_in_its_own_mode_afterwards_even_after_an_error(detector: Detector) -> None:
    detector.train()
    frozen = next(detector.stem.modules())
    frozen.training = False
    before = [part.training for part in detector.modules()]
    run_detector(detector, make_samples(1))
    assert [part.training for part in detector.modules()] == before
    wrong = replace(make_samples(1)[0], picture=torch.zeros(3, 0, 0, dtype=torch.uint8))
    with pytest.raises(RuntimeError):
        run_detector(detector, [wrong])
    assert [part.training for part in detector.modules()] == before


def test_evaluate_detector_reports_progress_and_counts(detector: Detector) -> None:
    told: list[tuple[str, int, int]] = []

    def tell(doing: str, done: int, total: int) -> None:
        told.append((doing, done, total))

    evaluation, found = evaluate_detector(
        detector,
        make_samples(4),
        RunSettings(batch_size=3),
        progress=tell,
    )
    assert (evaluation.num_images, evaluation.num_boxes) == (4, 4)
    assert evaluation.num_detections == sum(len(entry) for entry in found)
    assert told == [("detecting", 0, 4), ("detecting", 3, 4), ("detecting", 4, 4)]
    assert evaluation.seconds > 0


def test_no_samples_give_no_detections(detector: Detector) -> None:
    assert run_detector(detector, []) == []


def test_another_input_size_works() -> None:
    config = replace(
        recipes.PELEE_TINY, input=InputContract(height=135, width=97, resize="letterbox")
    )
    found = run_detector(build(config, classes=CLASSES), make_samples(2))
    assert len(found) == 2


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="`batch_size` must be at least 1; got 0"):
        RunSettings(batch_size=0)


def test_labels_are_matched_by_class_name() -> None:
    samples = make_samples(3)
    data_classes = ClassList.of(["bird", "cat"])
    samples = [sample.keep(sample.labels < 2) for sample in samples]
    moved = labels_by_name(samples, data_classes=data_classes, detector_classes=CLASSES)
    assert [sample.labels.tolist() for sample in moved] == [[2], [0], []]
    same = labels_by_name(
        samples, data_classes=ClassList.of(["cat", "dog"]), detector_classes=CLASSES
    )
    assert [a.labels.tolist() for a in same] == [a.labels.tolist() for a in samples]


def test_a_class_that_the_detector_lacks_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"detector lacks: `birds` .* Did you mean `bird`\?"):
        labels_by_name([], data_classes=ClassList.of(["cat", "birds"]), detector_classes=CLASSES)
