from collections.abc import Callable
from dataclasses import replace

from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
import small_pipeline
from small_pipeline import SOUND, Answer, altered, cxcywh, decode, encode
import torch
from torch import Tensor

from pocketdet.doctor import DetectionPipeline

CHECK = "lost-ground-truth"


def decoded(change: Callable[[Answer], Answer]) -> DetectionPipeline:
    return altered(decode=lambda outputs: [change(answer) for answer in decode(outputs)])


def test_a_sound_pipeline_is_clear() -> None:
    assert findings_of(CHECK, SOUND) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cxcywh, "(cx, cy, w, h) in place of corners"),
        (lambda boxes: boxes[:, [1, 0, 3, 2]], "x and y exchanged"),
        (lambda boxes: boxes / 96, "relative to the image"),
        (lambda boxes: torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1), "(x, y, w, h)"),
    ],
)
def test_another_box_format_is_an_error_that_names_it(change, words: str) -> None:
    pipeline = decoded(lambda answer: replace(answer, boxes_xyxy=change(answer.boxes_xyxy)))
    (finding,) = findings_of(CHECK, pipeline)
    assert finding.severity == "error"
    assert words in finding.evidence


def test_variances_at_one_end_are_told_by_the_sizes(monkeypatch) -> None:
    def other_variances(outputs: tuple[Tensor, Tensor]) -> list[Answer]:
        with monkeypatch.context() as patch:
            patch.setattr(small_pipeline, "VARIANCES", (0.1, 0.9))
            return decode(outputs)

    (finding,) = findings_of(CHECK, altered(decode=other_variances))
    assert finding.severity == "error"
    assert "centres −0.0, +0.0" in finding.evidence or "centres +0.0, +0.0" in finding.evidence


def test_labels_that_come_back_shifted_are_an_error() -> None:
    pipeline = decoded(lambda answer: replace(answer, labels=answer.labels + 1))
    (finding,) = findings_of(CHECK, pipeline)
    assert "every label comes back +1" in finding.evidence


def test_a_stage_that_raises_is_named_with_its_line() -> None:
    def broken(boxes: Tensor, labels: Tensor) -> Tensor:
        raise RuntimeError("no priors")

    (finding,) = findings_of(CHECK, altered(encode=broken))
    assert finding.evidence == "`encode` raised RuntimeError: no priors, on a sample's own boxes."
    assert (finding.source or "").startswith("test_lost_ground_truth.py:")


def test_low_scores_and_repeated_detections_are_warnings(monkeypatch) -> None:
    def all_of_them(outputs: tuple[Tensor, Tensor]) -> list[Answer]:
        with monkeypatch.context() as patch:
            patch.setattr(
                small_pipeline,
                "suppressed",
                lambda b, s, labels: Answer(b[s > 0.5], s[s > 0.5], labels[s > 0.5]),
            )
            return decode(outputs)

    low = decoded(lambda answer: replace(answer, scores=answer.scores / 10))
    assert [f.severity for f in findings_of(CHECK, low)] == ["warning"]
    assert [f.severity for f in findings_of(CHECK, altered(decode=all_of_them))] == ["warning"]


def test_overlapping_boxes_that_nms_joins_are_an_info() -> None:
    example = small_pipeline.examples(1)[0]
    twice = replace(
        example,
        boxes_xyxy=torch.cat([example.boxes_xyxy, example.boxes_xyxy + 2]),
        labels=example.labels.repeat(2),
    )
    (finding,) = findings_of(CHECK, altered(samples=[twice]))
    assert finding.severity == "info"


@pytest.mark.parametrize(
    "way", ["keeps what overlaps", "keeps one", "compares shares of the image"]
)
def test_boxes_that_do_not_touch_and_get_lost_beside_each_other_are_an_error(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def suppressed(boxes: Tensor, scores: Tensor, labels: Tensor) -> Answer:
        keep: list[int] = []
        for index in scores.argsort(descending=True).tolist():
            if scores[index] < 0.05:
                break
            if keep and not _is_kept(boxes[index], boxes[keep]):
                continue
            keep.append(index)
        keep = keep[:1] if way == "keeps one" else keep
        return Answer(boxes[keep], scores[keep], labels[keep])

    def _is_kept(box: Tensor, kept: Tensor) -> bool:
        if way == "keeps what overlaps":
            return float(small_pipeline.iou(box[None], kept).max()) > 0.45
        if way == "compares shares of the image":
            low = torch.maximum(box[:2], kept[:, :2]) / 96
            high = torch.minimum(box[2:], kept[:, 2:]) / 96
            areas = [((b[..., 2:] - b[..., :2]) / 96 + 1).prod(-1) for b in (box, kept)]
            inner = (high - low + 1).clamp(min=0).prod(-1)
            return float((inner / (areas[0] + areas[1] - inner)).max()) < 0.1
        return float(small_pipeline.iou(box[None], kept).max()) < 0.45

    monkeypatch.setattr(small_pipeline, "suppressed", suppressed)
    findings = [f for f in findings_of(CHECK, SOUND) if "do not touch" in f.evidence]
    assert [f.severity for f in findings] == ["error"]


def test_boxes_without_a_target_are_left_to_the_other_check() -> None:
    def wide_only(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        wide = boxes[:, 2] - boxes[:, 0] > 24
        return encode(boxes[wide], labels[wide])

    assert findings_of(CHECK, altered(encode=wide_only)) == []


def test_without_perfect_it_is_not_run() -> None:
    assert result_of(CHECK, altered(perfect=None)).reason == "needs `pipeline.perfect`"


def test_reads_well() -> None:
    pipeline = decoded(lambda answer: replace(answer, boxes_xyxy=cxcywh(answer.boxes_xyxy)))
    assert findings_of(CHECK, pipeline)[0].evidence == snapshot(
        "Of 24 boxes, on the way from `encode` to `decode`, 24 lost: what comes back is (cx, cy, w, h) in place of corners. One is (6, 8, 36, 33) of class 0 in sample 0."
    )
