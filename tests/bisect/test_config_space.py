"""Changes between two configs: each by itself, any set of them, one level down after another."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from torch import nn

from pocketdet import load_config, recipes
from pocketdet.bisect.config_space import ConfigSpace
from pocketdet.bisect.space import CannotBeMade, dependents
from pocketdet.conventions import ClassList, InputContract
from pocketdet.edit import Change
from pocketdet.model import CBAM, SE, Bilinear, GroupNorm, PlacedAttention, TopDown, TwoWayDense

THE_MONTH = Path(__file__).resolve().parents[2] / "examples" / "the_month"
TINY = replace(recipes.PELEE_TINY, input=InputContract(height=64, width=64))
CLASSES = ClassList.numbered(3)


def space(altered, healthy=TINY) -> ConfigSpace:
    return ConfigSpace(healthy, altered, classes=CLASSES)


def texts(changes) -> list[str]:
    return [str(change) for change in changes]


def named(changes, start: str) -> Change:
    return next(change for change in changes if str(change).startswith(start))


def test_the_coarsest_changes_are_fields() -> None:
    altered = replace(TINY, attention=CBAM(), neck=TopDown(channels=64), norm=GroupNorm())
    assert [c.field for c in space(altered).changes()] == ["attention", "neck", "norm"]


def test_equal_configs_are_refused() -> None:
    with pytest.raises(ValueError, match="no change to look for"):
        space(replace(TINY))


def test_no_change_makes_the_healthy_end_and_all_of_any_level_make_the_altered_one() -> None:
    healthy = load_config(THE_MONTH / "base.yaml")
    altered = load_config(THE_MONTH / "altered.yaml")
    found = space(altered, healthy)
    level = found.changes()
    while True:
        assert found.make(()) == healthy
        assert found.make(level) == altered
        deeper = tuple(d for c in level for d in (found.inside(c) or (c,)))
        if deeper == level:
            break
        level = deeper
    assert texts(level)[-4:-1] == [
        "neck: NoNeck → Pyramid(attention=NoAttention, norm=NoNorm)",
        "neck.attention: NoAttention → MyCBAM",
        "neck.norm: NoNorm → L2Norm",
    ]


def test_a_new_part_is_taken_apart_from_what_it_brings() -> None:
    found = space(load_config(THE_MONTH / "altered.yaml"), load_config(THE_MONTH / "base.yaml"))
    bare, attention, norm = found.inside(named(found.changes(), "neck"))
    assert found.needed_by(norm) == bare
    assert found.needed_by(bare) is None
    assert list(dependents(found, bare, (attention, norm))) == [attention, norm]
    assert found.make((bare, norm)).neck.attention.__class__.__name__ == "NoAttention"
    with pytest.raises(CannotBeMade, match="`neck` has to be Pyramid"):
        found.make((norm,))


def test_one_level_down_are_single_stages_and_below_them_fields() -> None:
    stages = (
        TINY.stages[0],
        replace(TINY.stages[1], growth=16),
        replace(TINY.stages[2], num_layers=1, growth=16),
        TINY.stages[3],
    )
    found = space(replace(TINY, stages=stages))
    (whole,) = found.changes()
    second, third = found.inside(whole)
    assert second.field == "stages[1].growth" or second.field == "stages[1]"
    fields = found.inside(third)
    assert texts(fields) == ["stages[2].num_layers: 3 → 1", "stages[2].growth: 32 → 16"]
    mixed = found.make((fields[1],))
    assert mixed.stages[2] == replace(TINY.stages[2], growth=16)
    assert mixed.stages[1] == TINY.stages[1]


def test_a_stage_of_another_kind_keeps_the_fields_of_the_same_name() -> None:
    found = space(load_config(THE_MONTH / "altered.yaml"), load_config(THE_MONTH / "base.yaml"))
    stages = found.inside(named(found.changes(), "stages"))
    assert [c.field for c in stages] == ["stages[0]", "stages[1]", "stages[2]", "stages[3]"]
    assert texts(found.inside(stages[2])) == [
        "stages[2]: TwoWayDense(num_layers=3, bottleneck_width=2) → "
        "OneWayDense(num_layers=3, growth=32)",
        "stages[2].num_layers: 3 → 5",
        "stages[2].growth: 32 → 16",
    ]


def test_an_inserted_stage_and_the_levels_that_count_on_it_cannot_be_made_apart() -> None:
    stages = (*TINY.stages, TwoWayDense(num_layers=1))
    altered = replace(TINY, stages=stages, levels_from=(2, 3, 4))
    found = space(altered)
    (added, levels) = found.changes()
    for alone in (added, levels):
        with pytest.raises(CannotBeMade):
            found.make((alone,))
    assert found.make((added, levels)) == altered


def test_attention_is_taken_apart_by_place() -> None:
    found = space(replace(TINY, attention=CBAM()))
    (whole,) = found.changes()
    places = found.inside(whole)
    assert [c.field for c in places] == [f"attention[stage{n}]" for n in (1, 2, 3, 4)]
    assert found.make(places[1:2]).attention == (PlacedAttention(block=CBAM(), after=("stage2",)),)
    moved = replace(
        TINY,
        attention=(
            PlacedAttention(block=CBAM(), after=("stage2", "extras")),
            PlacedAttention(block=SE(), after=("stage2",)),
        ),
    )
    found = space(moved, replace(TINY, attention=CBAM()))
    (whole,) = found.changes()
    assert [c.field for c in found.inside(whole)] == [
        "attention[stage1]",
        "attention[stage3]",
        "attention[stage4]",
        "attention[extra1]",
        "attention[stage2]",
    ]


@dataclass(frozen=True, kw_only=True)
class OnlyFor32:
    """A norm of a user's own that asserts what it is given."""

    def build(self, channels: int) -> nn.Module:
        assert channels == 32
        return nn.BatchNorm2d(channels)


def test_whatever_a_part_of_ones_own_raises_the_set_cannot_be_made() -> None:
    found = space(replace(TINY, norm=OnlyFor32(), neck=TopDown(channels=64, upsample=Bilinear())))
    with pytest.raises(CannotBeMade, match="AssertionError"):
        found.make((named(found.changes(), "norm"),))


@dataclass(frozen=True, kw_only=True)
class BadInTraining:
    def build(self, channels: int) -> nn.Module:
        return _BadInTraining()


class _BadInTraining(nn.Module):
    def forward(self, features):
        if self.training:
            raise RuntimeError("no training today")
        return features


def test_a_set_that_fails_only_while_training_cannot_be_made_either() -> None:
    found = space(replace(TINY, attention=BadInTraining()))
    with pytest.raises(CannotBeMade, match="no training today"):
        found.make(found.changes())
