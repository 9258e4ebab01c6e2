"""COCO's numbers agree with published reference values and with pycocotools."""

from contextlib import redirect_stdout
from dataclasses import fields
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO  # pyright: ignore[reportMissingTypeStubs]
from pycocotools.cocoeval import COCOeval  # pyright: ignore[reportMissingTypeStubs]
import pytest
import torch

from pocketdet.conventions import ClassList, Detections, ImageFile, Sample, xywh_to_xyxy
from pocketdet.evaluate import Evaluation, evaluate_detections

TWELVE = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


def twelve(evaluation: Evaluation) -> list[float]:
    return [getattr(evaluation, name) for name in TWELVE]


def oracle(
    detections: list[Detections], samples: list[Sample], num_classes: int
) -> tuple[list[float], list[float]]:
    """Score with pycocotools: the twelve numbers, and each class's AP."""
    annotations = [
        {
            "id": 0, "image_id": image, "category_id": int(label) + 1, "bbox": box,
            "area": box[2] * box[3], "iscrowd": int(crowd),
        }
        for image, sample in enumerate(samples, start=1)
        for box, label, crowd in zip(
            as_xywh(sample.boxes_xyxy), sample.labels, sample.crowd | sample.difficult, strict=True
        )
    ]  # fmt: skip
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    truth: Any = {
        "images": [{"id": image} for image in range(1, len(samples) + 1)],
        "categories": [{"id": c, "name": str(c)} for c in range(1, num_classes + 1)],
        "annotations": annotations,
    }
    found: Any = [
        {"image_id": image, "category_id": int(label) + 1, "bbox": box, "score": float(score)}
        for image, entry in enumerate(detections, start=1)
        for box, label, score in zip(
            as_xywh(entry.boxes_xyxy), entry.labels, entry.scores.double(), strict=True
        )
    ]
    with redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    precision = evaluator.eval["precision"][..., 0, 2]
    by_class = [
        float(p[p > -1].mean()) if (p > -1).any() else math.nan
        for p in precision.transpose(2, 0, 1)
    ]
    return [math.nan if s == -1 else float(s) for s in evaluator.stats], by_class


def as_xywh(boxes: torch.Tensor) -> list[list[float]]:
    """Give the decimals that a file would have had."""
    boxes = boxes.double()
    xywh = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1).tolist()
    return [[round(value, 3) for value in row] for row in xywh]


def random_case(seed: int) -> tuple[list[Detections], list[Sample], ClassList]:
    """Make boxes on a coarse grid and scores in steps, so that overlaps and scores tie often."""
    torch.manual_seed(seed)
    num_classes, coarse = 1 + seed % 5, [1.0, 4.0, 0.37][seed % 3]
    samples: list[Sample] = []
    detections: list[Detections] = []
    for image in range(12):
        count = int(torch.randint(0, 9, ()))
        low = (torch.rand(count, 2) * 200 / coarse).round() * coarse
        size = (torch.rand(count, 2) ** 2 * 150 / coarse + 3).round() * coarse
        boxes, labels = torch.cat([low, low + size], dim=1), torch.randint(0, num_classes, (count,))
        flags = torch.rand(2, count) < 0.1
        samples.append(
            Sample.of(
                ImageFile(Path("absent.jpg"), 400, 400), boxes, labels, image_id=str(image),
                crowd=flags[0], difficult=flags[1],
            )
        )  # fmt: skip
        copies = torch.randint(0, max(count, 1), (count * 3,))
        moved = boxes[copies] + (torch.randn(count * 3, 4) * 3 / coarse).round() * coarse
        moved[:, 2:] = torch.maximum(moved[:, 2:], moved[:, :2] + coarse)
        stray = torch.rand(count * 3) < 0.2
        found = torch.where(stray, torch.randint(0, num_classes, (count * 3,)), labels[copies])
        detections.append(
            Detections(
                boxes_xyxy=moved, scores=(torch.rand(count * 3) * 8).round() / 8, labels=found
            )
        )
    return detections, samples, ClassList.numbered(num_classes)


@pytest.mark.parametrize("seed", range(24))
def test_scores_equal_pycocotools_with_ties_crowds_and_difficult_boxes(seed: int) -> None:
    detections, samples, classes = random_case(seed)
    evaluation = evaluate_detections(detections, samples, classes)
    expected, by_class = oracle(detections, samples, len(classes))
    assert twelve(evaluation) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert [c.ap for c in evaluation.classes] == pytest.approx(by_class, abs=1e-9, nan_ok=True)


def test_scores_equal_the_reference_values(evaluator_dir: Path) -> None:
    detections, samples, classes = reference_case(evaluator_dir)
    evaluation = evaluate_detections(detections, samples, classes)
    expected = [
        0.503647, 0.696973, 0.571667, 0.593252, 0.557991, 0.489363,
        0.386813, 0.593680, 0.595353, 0.654764, 0.603130, 0.553744,
    ]  # fmt: skip
    assert twelve(evaluation) == pytest.approx(expected, abs=1e-6)


def reference_case(folder: Path) -> tuple[list[Detections], list[Sample], ClassList]:
    truth = json.loads((folder / "coco_ground_truth.json").read_text())
    found = json.loads((folder / "coco_detections.json").read_text())["annotations"]
    label_of = {category["id"]: label for label, category in enumerate(truth["categories"])}
    samples: list[Sample] = []
    detections: list[Detections] = []
    for image in sorted(truth["images"], key=lambda image: image["id"]):  # decides among ties
        boxes = [a for a in truth["annotations"] if a["image_id"] == image["id"]]
        mine = [a for a in found if a["image_id"] == image["id"]]
        samples.append(
            Sample.of(
                ImageFile(Path(image["file_name"]), image["height"], image["width"]),
                xywh_to_xyxy(torch.tensor([a["bbox"] for a in boxes]).reshape(-1, 4)),
                [label_of[a["category_id"]] for a in boxes],
                crowd=[bool(a["iscrowd"]) for a in boxes],
            )
        )
        detections.append(
            Detections(
                boxes_xyxy=xywh_to_xyxy(torch.tensor([a["bbox"] for a in mine]).reshape(-1, 4)),
                scores=torch.tensor([a["score"] for a in mine]),
                labels=torch.tensor([label_of[a["category_id"]] for a in mine], dtype=torch.int64),
            )
        )
    return detections, samples, ClassList.of(c["name"] for c in truth["categories"])


def picture() -> torch.Tensor:
    return torch.zeros(3, 100, 100, dtype=torch.uint8)


def as_detections(sample: Sample) -> Detections:
    return Detections(
        boxes_xyxy=sample.boxes_xyxy, scores=torch.ones(len(sample.labels)), labels=sample.labels
    )


def test_ground_truth_fed_as_detections_scores_one() -> None:
    _, samples, classes = random_case(4)
    samples = [sample.keep(~(sample.crowd | sample.difficult)) for sample in samples]
    evaluation = evaluate_detections([as_detections(s) for s in samples], samples, classes)
    scores = (evaluation.ap, evaluation.ar_100, evaluation.voc07_map50, evaluation.area_map50)
    assert scores == pytest.approx((1, 1, 1, 1))


def test_what_cannot_be_scored_is_nan_and_null_in_json() -> None:
    sample = Sample.of(picture(), [[0, 0, 10, 10]], [1])
    evaluation = evaluate_detections([as_detections(sample)], [sample], ClassList.of("abc"))
    assert (evaluation.ap, evaluation.ap_small) == pytest.approx((1, 1))
    assert math.isnan(evaluation.ap_large)
    assert [math.isnan(result.ap) for result in evaluation.classes] == [True, False, True]
    data = json.loads(evaluation.to_json())
    assert data["ap_large"] is None
    assert data["classes"][0]["voc07_ap50"] is None
    assert set(data) == {f.name for f in fields(Evaluation)} - {"curves"}


def test_no_detection_at_all_scores_zero() -> None:
    sample = Sample.of(picture(), [[0, 0, 10, 10]], [0])
    evaluation = evaluate_detections([Detections.empty()], [sample], ClassList.of("a"))
    assert (evaluation.ap, evaluation.ar_100, evaluation.voc07_map50) == (0, 0, 0)


@pytest.mark.parametrize("samples", [[], [Sample.of(picture(), [], [])]])
def test_data_without_a_box_gives_no_score_and_no_error(samples: list[Sample]) -> None:
    evaluation = evaluate_detections(
        [Detections.empty() for _ in samples], samples, ClassList.of("a")
    )
    assert all(math.isnan(number) for number in twelve(evaluation))
    assert np.isnan(evaluation.curves.at_50).all()


def test_a_difficult_box_is_neither_wanted_nor_punished() -> None:
    sample = Sample.of(
        picture(), [[0, 0, 10, 10], [50, 50, 90, 90]], [0, 0], difficult=[True, False]
    )
    both = as_detections(sample)
    for found in (both, as_detections(sample.keep(~sample.difficult))):
        evaluation = evaluate_detections([found], [sample], ClassList.of("a"))
        assert (evaluation.ap, evaluation.voc07_map50, evaluation.num_boxes) == pytest.approx(
            (1, 1, 1)
        )


def test_lists_of_different_lengths_and_unknown_labels_are_refused() -> None:
    sample = Sample.of(picture(), [[0, 0, 10, 10]], [3])
    with pytest.raises(ValueError, match="one entry for each of `samples`; got 0 for 1"):
        evaluate_detections([], [sample], ClassList.of("abcd"))
    with pytest.raises(ValueError, match=r"labels of `samples` .* 0 to 1; got 3"):
        evaluate_detections([Detections.empty()], [sample], ClassList.of("ab"))
