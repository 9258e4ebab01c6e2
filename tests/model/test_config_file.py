from dataclasses import replace

import pytest
import torch

from pocketdet import build, load_config, recipes
from pocketdet.config_file import find_config, save_config
from pocketdet.model import CBAM, Bilinear, NoNorm, TopDown
from pocketdet.model.config_data import config_from_data, config_to_data

OWN_PARTS = """
from dataclasses import dataclass
from torch import nn

@dataclass(frozen=True, kw_only=True)
class Half:
    factor: float = 0.5
    def build(self, channels):
        return nn.Dropout(self.factor)

class NotAPart:
    pass
"""


def write(tmp_path, text: str, name: str = "altered.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("config", recipes.names().values(), ids=list(recipes.names()))
def test_every_recipe_survives_the_way_through_a_file(config, tmp_path) -> None:
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert config_from_data(config_to_data(config)) == config


def test_a_file_lists_only_what_differs(tmp_path) -> None:
    path = write(
        tmp_path,
        """
base: PELEE
attention: CBAM
neck: {TopDown: {channels: 128, upsample: Bilinear}}
""",
    )
    expected = replace(
        recipes.PELEE, attention=CBAM(), neck=TopDown(channels=128, upsample=Bilinear())
    )
    assert load_config(path) == expected


def test_fields_of_the_same_part_are_taken_over_from_the_base(tmp_path) -> None:
    loaded = load_config(
        write(tmp_path, "base: PELEE_TINY\nhead: {PeleeHead: {channels: 48}}\ninput: {height: 96}")
    )
    assert loaded.head == replace(recipes.PELEE_TINY.head, channels=48)
    assert loaded.input == replace(recipes.PELEE_TINY.input, height=96)


def test_a_base_can_be_another_file(tmp_path) -> None:
    write(tmp_path, "base: PELEE_TINY\nattention: CBAM", "first.yaml")
    loaded = load_config(write(tmp_path, "base: first.yaml\nneck: TopDown"))
    assert loaded == replace(recipes.PELEE_TINY, attention=CBAM(), neck=TopDown())


def test_a_part_of_ones_own_needs_nothing_edited_in_the_package(tmp_path) -> None:
    write(tmp_path, OWN_PARTS, "own_parts_for_test.py")
    loaded = load_config(
        write(tmp_path, "base: PELEE_TINY\nattention: {own_parts_for_test:Half: {factor: 0.25}}")
    )
    detector = build(loaded, num_classes=2)
    assert isinstance(detector.attention["stage1"], torch.nn.Dropout)
    assert detector.attention["stage1"].p == 0.25
    assert config_from_data(config_to_data(loaded)) == loaded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("atention: CBAM", "`atention` is no field of `config`.*Did you mean `attention`"),
        ("attention: CBM", "`CBM` is no choice for `attention`.*Did you mean `CBAM`"),
        ("attention: {CBAM: {reduktion: 4}}", "Did you mean `reduction`"),
        ("attention: {CBAM: {reduction: four}}", "`attention.CBAM.reduction` must be of type int"),
        ("base: PELE", "`PELE` is no recipe.*Did you mean `PELEE`"),
        ("attention: [CBAM]", r"`attention\[0\]` must be a mapping of fields"),
        ("attention: 5", "`attention` must be a part's name"),
        ("input: {height: true}", "`input.height` must be of type int"),
        ("input: {resize: squash}", "there are warp, letterbox"),
        ("input: {mean: [1, 2]}", "`input.mean` must have 3 values"),
        ("input: {height: 0}", "`height` must be at least 1"),
        ("- 1", "must be a mapping"),
        ("a: [", "is no YAML"),
        ("attention: nowhere_at_all:Part", "module `nowhere_at_all`, which cannot be found"),
        ("attention: own_parts_for_test:NotAPart", "must be a frozen dataclass with a `build`"),
        ("attention: own_parts_for_test:Hlf", "Did you mean `Half`"),
        ("stages: []", "at least one stage"),
        ("levels_from: [2]", "must end with the last stage"),
        ("extras: []", "must read every level"),
        ("stages: [TwoWayDense]", r"`stages\[0\].TwoWayDense` needs `num_layers`"),
        ("stages: [{TwoWayDense: {num_layers: 2, growth: 3}}]", "`growth` even"),
    ],
)
def test_a_wrong_file_says_what_and_offers_the_nearest(tmp_path, text: str, message: str) -> None:
    write(tmp_path, OWN_PARTS, "own_parts_for_test.py")
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_config(write(tmp_path, text))


def test_a_base_that_leads_back_is_refused(tmp_path) -> None:
    write(tmp_path, "base: b.yaml", "a.yaml")
    with pytest.raises(ValueError, match="cannot be its own base"):
        load_config(write(tmp_path, "base: a.yaml", "b.yaml"))


def test_a_recipe_is_found_by_name_or_file(tmp_path) -> None:
    assert find_config("PELEE_SMALL") is recipes.PELEE_SMALL
    assert find_config(write(tmp_path, "norm: NoNorm")).norm == NoNorm()
    with pytest.raises(ValueError, match="Did you mean `PELEE_TINY`"):
        find_config("PELEE_TNY")
    with pytest.raises(ValueError, match="there is no such file"):
        find_config(tmp_path / "absent.yaml")


def test_an_unknown_field_is_refused_in_python_too() -> None:
    with pytest.raises(TypeError, match="upsampel"):
        replace(recipes.PELEE, upsampel=Bilinear())


def test_a_choice_is_found_by_what_people_call_it(tmp_path) -> None:
    path = write(tmp_path, "base: PELEE_TINY\nneck: {FPN: {channels: 40}}\n")
    config = load_config(path)
    assert config.neck == TopDown(channels=40)
    assert list(config_to_data(config)["neck"]) == ["TopDown"]
