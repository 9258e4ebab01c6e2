"""`pocketdet parts`, and that what it tells is there for every choice."""

import json

import pytest
from typer.testing import CliRunner

from pocketdet import model
from pocketdet.cli import app
from pocketdet.model.catalog import catalog, entries_named
from pocketdet.model.config_data import CHOICES

ENTRIES = [entry for entries in catalog().values() for entry in entries]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_choice_says_what_it_is_and_can_be_imported(entry) -> None:
    assert entry.summary.endswith((".", ":", ","))
    assert len(entry.summary) >= 10
    assert getattr(model, entry.name) in {kind for kinds in CHOICES.values() for kind in kinds}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_choices_name_is_its_own(entry) -> None:
    assert [other.part for other in ENTRIES if other.name == entry.name] == [entry.part]


def test_the_overview_has_every_part_and_choice() -> None:
    shown = CliRunner().invoke(app, ["parts"], env={"COLUMNS": "200"}).stdout
    assert all(entry.name in shown and entry.part in shown for entry in ENTRIES)


def test_one_part_lists_its_choices_alone() -> None:
    shown = json.loads(CliRunner().invoke(app, ["parts", "stem", "--json"]).stdout)
    assert [entry["name"] for entry in shown] == [kind.__name__ for kind in model.stem.STEMS]


def test_one_choice_is_explained_with_its_fields_and_its_line() -> None:
    shown = CliRunner().invoke(app, ["parts", "RandWire"]).stdout
    assert "arXiv 1904.01569" in shown
    assert "  channels  required\n" in shown
    assert "  graph     WattsStrogatz\n" in shown
    assert "  stride    2\n" in shown
    assert "In a config file: {RandWire: {channels: …}}" in shown
    assert "In a config file: BatchNorm" in CliRunner().invoke(app, ["parts", "BatchNorm"]).stdout


def test_defaults_are_shown_as_a_file_states_them() -> None:
    assert entries_named("ConvStem")[0].defaults == {"channels": "[16, 32]", "strides": "[2, 2]"}
    assert entries_named("ExtraConvs")[0].defaults["conv"] == "null"
    assert entries_named("InvertedResidual")[0].defaults["start"] == "random"
    assert entries_named("L2Norm")[0].defaults["scale"] == "20.0"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"`RandWier` is no part or choice.*mean `RandWire`"):
        entries_named("RandWier")
