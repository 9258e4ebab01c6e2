from dataclasses import replace

import pytest

from pocketdet import recipes
from pocketdet.edit import changes_between
from pocketdet.edit.alignment import align
from pocketdet.model import CBAM, Bilinear, Nearest, PlacedAttention, TopDown, TwoWayDense

TINY = recipes.PELEE_TINY


def texts(base, altered) -> list[str]:
    return [str(change) for change in changes_between(base, altered)]


def test_equal_configs_have_no_changes() -> None:
    assert texts(TINY, replace(TINY)) == []


def test_a_change_names_the_smallest_field() -> None:
    before = replace(TINY, neck=TopDown(channels=64, upsample=Nearest()))
    after = replace(TINY, neck=TopDown(channels=64, upsample=Bilinear()))
    assert texts(before, after) == ["neck.upsample: Nearest → Bilinear"]
    altered = replace(TINY, attention=CBAM(reduction=8))
    assert texts(TINY, altered) == ["attention: NoAttention → CBAM(reduction=8)"]


def test_an_inserted_stage_shifts_no_other() -> None:
    new = TwoWayDense(num_layers=1, growth=16, stride=1)
    stages = (*TINY.stages[:2], new, *TINY.stages[2:])
    altered = replace(TINY, stages=stages, levels_from=(1, 3, 4))
    assert texts(TINY, altered) == [
        "stages[2]: added TwoWayDense(num_layers=1, growth=16, stride=1)",
        "levels_from: [1, 2, 3] → [1, 3, 4]",
    ]
    assert texts(altered, TINY)[0].startswith("stages[2]: removed TwoWayDense(num_layers=1")


def test_a_change_inside_an_item_names_item_and_field() -> None:
    stages = (TINY.stages[0], replace(TINY.stages[1], num_layers=7), *TINY.stages[2:])
    assert texts(TINY, replace(TINY, stages=stages)) == [
        f"stages[1].num_layers: {TINY.stages[1].num_layers} → 7"
    ]


def test_placed_attentions_are_compared_one_by_one() -> None:
    one = PlacedAttention(block=CBAM(), after=("stage3",))
    two = replace(one, start="identity")
    assert texts(replace(TINY, attention=(one,)), replace(TINY, attention=(two,))) == [
        "attention[0].start: random → identity"
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("abc", "abc", [(0, 0), (1, 1), (2, 2)]),
        ("abc", "axbc", [(0, 0), (None, 1), (1, 2), (2, 3)]),
        ("abc", "ac", [(0, 0), (1, None), (2, 1)]),
        ("", "a", [(None, 0)]),
        ("ab", "ba", [(0, None), (1, 0), (None, 1)]),
    ],
)
def test_sequences_align_without_crossing(before, after, expected) -> None:
    pairs = align(before, after, lambda old, new: float(old == new))
    assert sum(None not in pair for pair in pairs) == sum(None not in p for p in expected)
    if before != "ab":
        assert pairs == expected
