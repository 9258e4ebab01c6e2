from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SOUND, Answer, altered, iou, perfect, suppressed
import torch
from torch import Tensor

CHECK = "suppressed-best"


def decoded_by(suppress):
    """The sound decoding with another suppression of (boxes, scores, labels)."""

    def decode(outputs: tuple[Tensor, Tensor]) -> list[Answer]:
        every = _before_suppression(outputs)
        return [suppress(*one) for one in every]

    return decode


def _before_suppression(outputs: tuple[Tensor, Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
    kept: list[tuple[Tensor, Tensor, Tensor]] = []

    def keep(boxes: Tensor, scores: Tensor, labels: Tensor) -> Answer:
        kept.append((boxes, scores, labels))
        return Answer(boxes, scores, labels)

    import small_pipeline

    before, small_pipeline.suppressed = small_pipeline.suppressed, keep
    try:
        small_pipeline.decode(outputs)
    finally:
        small_pipeline.suppressed = before
    return kept


def worst_first(boxes: Tensor, scores: Tensor, labels: Tensor) -> Answer:
    sure = scores > 0.05
    found = suppressed(boxes[sure], 1.1 - scores[sure], labels[sure])
    return Answer(found.boxes_xyxy, 1.1 - found.scores, found.labels)


def by_matrix(boxes: Tensor, scores: Tensor, labels: Tensor) -> Answer:
    """Keeps what no row above it in the table overlaps; right where rows are sorted."""
    return _kept_from(boxes, scores, labels, scores.argsort(descending=True)[:60])


def by_an_unsorted_matrix(boxes: Tensor, scores: Tensor, labels: Tensor) -> Answer:
    order = scores.argsort(descending=True)[:60]
    return _kept_from(boxes, scores, labels, order.flip(0)[(scores[order.flip(0)] > 0.05)])


def _kept_from(boxes: Tensor, scores: Tensor, labels: Tensor, order: Tensor) -> Answer:
    boxes, scores, labels = boxes[order], scores[order], labels[order]
    clash = (iou(boxes, boxes) > 0.5) & (labels[:, None] == labels)
    keep = ~clash.triu(1).any(0) & (scores > 0.05)
    return Answer(boxes[keep], scores[keep], labels[keep])


def of_all_classes(boxes: Tensor, scores: Tensor, labels: Tensor) -> Answer:
    found = suppressed(boxes, scores, torch.zeros_like(labels))
    at = [
        int(((boxes == box).all(1) & (scores == s)).nonzero()[0])
        for box, s in zip(found.boxes_xyxy, found.scores, strict=True)
    ]
    return Answer(found.boxes_xyxy, found.scores, labels[at])


@pytest.mark.parametrize("suppress", [worst_first, by_an_unsorted_matrix])
def test_a_suppression_that_keeps_the_less_sure_is_an_error(suppress) -> None:
    findings = findings_of(CHECK, altered(decode=decoded_by(suppress)))
    assert [f.severity for f in findings] == ["error"]


@pytest.mark.parametrize("suppress", [suppressed, by_matrix, of_all_classes])
def test_one_that_keeps_the_surest_is_clear(suppress) -> None:
    assert findings_of(CHECK, altered(decode=decoded_by(suppress))) == []


def test_no_suppression_at_all_is_another_fault() -> None:
    assert findings_of(CHECK, altered(decode=decoded_by(Answer))) == []


def test_outputs_with_one_row_an_object_are_not_judged() -> None:
    def queries(boxes: Tensor, labels: Tensor) -> Tensor:
        rows = torch.cat([boxes, labels[:, None] + 1.0], 1)
        return torch.cat([rows, torch.zeros(20 - len(rows), 5)])

    def decode(outputs: Tensor) -> list[Answer]:
        rows = outputs[0][outputs[0][:, 4] > 0.5]
        return [Answer(rows[:, :4], torch.ones(len(rows)), rows[:, 4].long() - 1)]

    way = altered(encode=queries, perfect=lambda t: t[None], decode=decode)
    assert result_of(CHECK, way).outcome == "not run"


def test_reads_well() -> None:
    assert perfect is SOUND.perfect
    findings = findings_of(CHECK, altered(decode=decoded_by(worst_first)))
    assert findings[0].evidence == snapshot(
        "Where two rows answer to one object, `decode` drops the surer one for 6 of 6 objects; in 6 of them the other is there in its place. One scores 1.00, the other, with an IoU of 0.74, 0.98."
    )
