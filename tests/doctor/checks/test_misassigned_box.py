from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SOUND, altered, cxcywh, encode, iou, priors_xyxy, xyxy
import torch
from torch import Tensor

CHECK = "misassigned-box"


def matched(boxes: Tensor, labels: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Right deltas for the rows that a wrong reading of the boxes chose."""
    priors = priors_xyxy()
    deltas, classes = torch.zeros(len(priors), 4), torch.zeros(len(priors), dtype=torch.int64)
    if len(boxes):
        overlap = iou(priors, seen).clamp(min=0)
        rows = overlap.argmax(0)
        p, b = cxcywh(priors[rows]), cxcywh(boxes)
        offsets = (b[:, :2] - p[:, :2]) / p[:, 2:] / 0.1
        deltas[rows] = torch.cat([offsets, (b[:, 2:] / p[:, 2:]).log() / 0.2], 1)
        classes[rows] = labels + 1
    return deltas, classes


def as_extents(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return matched(boxes, labels, torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1))


def as_centres(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return matched(boxes, labels, cxcywh(boxes))


def in_shares_of_the_image(boxes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return matched(boxes, labels, boxes / 96)


def heat(boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Bumps with tails that reach everywhere."""
    places = torch.arange(24.0)
    target = torch.zeros(4, 24, 24)
    for (x, y, _, _), label in zip(cxcywh(boxes) / 4, labels.tolist(), strict=True):
        bump = torch.exp(-((places[:, None] - y) ** 2 + (places - x) ** 2) / 8)
        target[label] = torch.maximum(target[label], bump)
    return {"heat": target}


@pytest.mark.parametrize("wrong", [as_extents, as_centres, in_shares_of_the_image])
def test_boxes_read_in_another_format_by_the_matching_are_an_error(wrong) -> None:
    assert [f.severity for f in findings_of(CHECK, altered(encode=wrong))] == ["error"]


def test_a_sound_matching_is_clear() -> None:
    assert findings_of(CHECK, SOUND) == []
    assert findings_of(CHECK, altered(encode=lambda b, c: matched(b, c, b))) == []


def test_a_heat_map_is_clear() -> None:
    way = altered(encode=heat, perfect=lambda t: {"heat": t["heat"][None]})
    assert findings_of(CHECK, way) == []


def test_a_list_of_boxes_for_queries_is_not_looked_at() -> None:
    def padded(boxes: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([xyxy(cxcywh(boxes)), torch.zeros(50 - len(boxes), 4)])

    way = altered(encode=padded, perfect=lambda targets: targets[None, :7])
    assert result_of(CHECK, way).outcome == "not run"


def test_reads_well() -> None:
    assert encode is SOUND.encode
    assert findings_of(CHECK, altered(encode=as_extents))[0].evidence == snapshot(
        "`encode` gives one row to boxes in different places, each alone in its image: 61% of 31 pairs of boxes far apart claim a row in common, such as (45, 58, 71, 81) and (60, 3, 86, 26) row 0."
    )
