from dataclasses import replace
import json
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from pocketdet import build, recipes
from pocketdet.conventions import InputContract
from pocketdet.edit import compare
from pocketdet.edit.block_cost import count_cost, time_interleaved
from pocketdet.edit.blocks import Block, blocks_of
from pocketdet.edit.draw import save_picture, svg
from pocketdet.edit.layout import COLOURS, lay_out
from pocketdet.model import CBAM, NoNeck, PlacedAttention, TopDown
from pocketdet.model.summary import summarize

TINY = replace(recipes.PELEE_TINY, input=InputContract(height=96, width=64))
ALTERED = replace(
    TINY,
    attention=(PlacedAttention(block=CBAM(), after=("stage3", "neck.p4")),),
    neck=TopDown(channels=32),
)


def built(config):
    return build(config, num_classes=3)


@pytest.fixture(scope="module")
def report():
    return compare(built(TINY), built(ALTERED), rounds=2)


def test_blocks_are_what_a_picture_passes_in_order() -> None:
    names = [block.name for block in blocks_of(built(ALTERED))]
    assert names == [
        *("stem", "stage1", "stage2", "stage3", "attention.stage3", "stage4", "extra1"),
        *("neck", "attention.neck.p4", "head"),
    ]


def test_every_block_gets_its_fate(report) -> None:
    fates = {(row.after or row.before).name: row.fate for row in report.rows}
    assert fates["attention.stage3"] == fates["attention.neck.p4"] == fates["neck"] == "added"
    assert fates["head"] == "changed"  # it reads other channels now
    assert {fates[n] for n in ("stem", "stage1", "stage4", "extra1")} == {"same"}
    assert report.whole.fate == "changed"


def test_a_removed_block_is_said_to_be_one() -> None:
    report = compare(built(ALTERED), built(replace(ALTERED, neck=NoNeck())), rounds=0)
    removed = [row.before.name for row in report.rows if row.fate == "removed"]
    assert removed == ["neck"]
    assert report.whole.before.cost.latency is None


def test_an_inserted_stage_is_the_only_one_added() -> None:
    stages = (TINY.stages[0], TINY.stages[0], *TINY.stages[1:])
    altered = replace(TINY, stages=stages, levels_from=(2, 3, 4))
    report = compare(built(TINY), built(altered), rounds=0)
    assert [row.after.name for row in report.rows if row.fate == "added"] in (
        ["stage1"],
        ["stage2"],
    )
    assert not [row for row in report.rows if row.fate == "removed"]


def test_the_blocks_add_up_to_the_whole(report) -> None:
    for side in ("before", "after"):
        costs = [getattr(row, side).cost for row in report.rows if getattr(row, side)]
        whole = getattr(report.whole, side).cost
        assert sum(cost.parameters for cost in costs) == whole.parameters
        assert sum(cost.macs for cost in costs) == whole.macs
        written = sum(cost.activation_bytes for cost in costs)
        assert written == pytest.approx(whole.activation_bytes, rel=0.02)
    summary = summarize(ALTERED, num_classes=3)
    assert (report.whole.after.cost.parameters, report.whole.after.cost.macs) == (
        summary.parameters,
        summary.macs,
    )


def test_memory_is_what_operators_write() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 8, 1, bias=False), nn.ReLU(inplace=True), nn.Flatten(), nn.ReLU()
    )
    block = Block(
        name="x", role="x", kind="", module=module, given=(torch.zeros(1, 3, 4, 5),), maps=()
    )
    cost = count_cost(block)  # ReLU in place and Flatten write nothing new
    assert cost.activation_bytes == 2 * 8 * 4 * 5 * 4
    assert cost.macs == 3 * 8 * 4 * 5


def test_calls_are_timed_in_turns() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in ("a", "b")}
    found = time_interleaved(calls, rounds=3, warm_up=1)
    assert len(order) == 8
    assert [order[i : i + 2] for i in (2, 4, 6)] in (
        [["b", "a"], ["a", "b"], ["b", "a"]],
        [["a", "b"], ["b", "a"], ["a", "b"]],
    )
    assert found["a"].num_calls == 3
    assert 0 <= found["a"].low_ms <= found["a"].median_ms <= found["a"].high_ms
    with pytest.raises(ValueError, match="`rounds` must be at least 2"):
        time_interleaved(calls, rounds=1)


def test_the_report_is_plain_data(report) -> None:
    data = json.loads(json.dumps(report.to_data()))
    assert data["changes"][0]["field"] == "attention"
    assert data["whole"]["after"]["cost"]["latency"]["num_calls"] == 2


def test_the_picture_shows_every_block_in_its_colour(report) -> None:
    names = ("before & <after>", "altered")
    document = ElementTree.fromstring(svg(lay_out(report, names=names)))
    boxes = [r.get("fill") for r in document.iter("{http://www.w3.org/2000/svg}rect")]
    sides = sum((row.before is not None) + (row.after is not None) for row in report.rows)
    assert len(boxes) == 1 + sides + len(COLOURS)
    assert boxes.count(COLOURS["added"]) == 1 + 3
    assert boxes.count(COLOURS["removed"]) == 1
    texts = [t.text or "" for t in document.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("before & <after>: ") for text in texts)
    assert "attention.stage3: CBAM" in texts
    assert any("→ " in text and "×12×8" in text for text in texts)


def test_boxes_do_not_overlap(report) -> None:
    picture = lay_out(report, names=("a", "b"))
    for one in picture.boxes:
        assert one.left + one.width <= picture.width
        assert one.top + one.height <= picture.height
        for two in picture.boxes:
            if (
                one is not two
                and one.left < two.left + two.width
                and two.left < one.left + one.width
            ):
                assert one.top + one.height <= two.top or two.top + two.height <= one.top


def test_pictures_are_written_by_their_ending(report, tmp_path) -> None:
    for name in ("a.svg", "a.png"):
        save_picture(report, tmp_path / name, names=("a", "b"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    with pytest.raises(ValueError, match=r"must end in .svg or .png"):
        save_picture(report, tmp_path / "a.gif", names=("a", "b"))
