"""Networks that do not come from a config: hybrids by name, the same search."""

from pathlib import Path

import bisect_nets
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from pocketdet.bisect.module_request import ModuleRequest, run_module_bisect
from pocketdet.bisect.module_space import ModuleSpace, are_equal
from pocketdet.bisect.result import BisectResult
from pocketdet.cli import app

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def leaves(space: ModuleSpace, changes=None) -> list[str]:
    found: list[str] = []
    for change in space.changes() if changes is None else changes:
        inside = space.inside(change)
        found += leaves(space, inside) if inside else [change.field]
    return found


def test_only_what_differs_is_a_change_the_outermost_first() -> None:
    space = ModuleSpace(bisect_nets.good, bisect_nets.bad, IMAGES)
    assert [change.field for change in space.changes()] == ["blocks"]
    assert leaves(space) == [
        "blocks.0.norm",
        "blocks.0.activation",
        "blocks.1.gate",
        "blocks.2.norm",
    ]


def test_equal_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="must differ in a module"):
        ModuleSpace(bisect_nets.good, bisect_nets.good, IMAGES)


def test_a_hybrid_has_the_swapped_modules_and_starts_with_equal_weights() -> None:
    space = ModuleSpace(bisect_nets.good, bisect_nets.bad, IMAGES)
    (blocks,) = space.changes()
    middle = next(c for c in space.inside(blocks) if c.field == "blocks.1")
    hybrid = space.make((middle,)).build(3)
    healthy, altered = space.ends.built(3)
    assert isinstance(hybrid.get_submodule("blocks.1.gate"), bisect_nets.DeadGate)
    assert are_equal(hybrid.get_submodule("blocks.2"), healthy.get_submodule("blocks.2"))
    for name, value in hybrid.state_dict().items():
        assert torch.equal(value, healthy.state_dict()[name])
    assert torch.equal(altered.get_parameter("stem.weight"), healthy.get_parameter("stem.weight"))


def test_a_module_of_another_shape_is_swapped_with_what_is_around_it() -> None:
    def net(width: int, activation: nn.Module) -> nn.Module:
        inner = nn.Sequential(nn.Linear(4, width), activation, nn.Linear(width, 4))
        return nn.Sequential(nn.Linear(4, 4), inner)

    inputs = torch.rand(2, 4)
    space = ModuleSpace(lambda: net(8, nn.ReLU()), lambda: net(6, nn.ReLU()), inputs)
    assert [change.field for change in space.changes()] == ["1"]
    hybrid = space.make(space.changes()).build(0)
    assert hybrid.get_submodule("1.0").weight.shape == (6, 4)


@pytest.mark.slow
def test_the_doctor_finds_both_broken_modules(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parent)
    request = ModuleRequest(
        healthy="bisect_nets:good",
        altered="bisect_nets:bad",
        input="2x3x32x32",
        loss="bisect_nets:loss",
        judge="doctor",
        out=tmp_path / "out",
    )
    result = run_module_bisect(request)
    guilty = sorted(change.field for found in result.progress.found for change in found.changes)
    assert guilty == ["blocks.1.gate", "blocks.2.norm"]
    assert result.progress.ended.startswith("The rest is healthy")
    page = (tmp_path / "out" / "page.html").read_text()
    assert "softmax-over-one" in page
    assert "blocks.2.norm" in page
    lines = (tmp_path / "out" / "judgements.jsonl").read_text()
    again = run_module_bisect(request)
    assert (tmp_path / "out" / "judgements.jsonl").read_text() == lines
    assert again.progress.guilty == result.progress.guilty


def test_training_on_the_users_loss_is_a_judge_too(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parent)
    result = run_module_bisect(
        ModuleRequest(
            healthy="bisect_nets:good",
            altered="bisect_nets:bad",
            input="2x3x16x16",
            loss="bisect_nets:loss",
            judge="train",
            most_steps=80,
            out=tmp_path / "out",
        )
    )
    assert all(one.judgement.why for one in result.progress.asked)
    assert result.progress.is_complete
    assert "doctor" not in (tmp_path / "out" / "judgements.jsonl").read_text()


@pytest.mark.parametrize(
    "options",
    [["--data", "digits"], ["--learning-rate", "0.1"], ["--device", "cpu"], ["--jobs", "2"]],
)
def test_an_option_that_modules_have_no_use_for_is_refused(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["bisect", "a:b", "c:d", "--modules", *options])
    assert isinstance(result.exception, ValueError)
    assert f"`{options[0]}` has no effect with `--modules`" in str(result.exception)


@pytest.mark.parametrize("options", [["--loss", "a:loss"], ["--input", "1x3x8x8"]])
def test_an_option_of_modules_is_refused_for_configs(options: list[str]) -> None:
    files = ["PELEE_TINY", "PELEE_SMALL", "--data", "digits"]
    result = CliRunner().invoke(app, ["bisect", *files, *options])
    assert isinstance(result.exception, ValueError)
    assert f"`{options[0]}` has no effect without `--modules`" in str(result.exception)


def yolos_request(tmp_path: Path, **changes) -> ModuleRequest:
    return ModuleRequest(
        healthy="bisect_yolos:good",
        altered="bisect_yolos:bad",
        input="pixel_values=4x3x64x64",
        loss="bisect_yolos:loss",
        out=tmp_path / "out",
        **changes,
    )


def guilty_of(result: BisectResult) -> list[str]:
    return sorted(change.field for found in result.progress.found for change in found.changes)


def test_a_judge_of_ones_own_is_asked_about_a_network_of_transformers(
    tmp_path: Path, monkeypatch
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.chdir(Path(__file__).resolve().parent)
    result = run_module_bisect(yolos_request(tmp_path, judge="bisect_yolos:is_sound"))
    assert guilty_of(result) == ["vit.encoder.layer.1.layernorm_after"]
    assert "bisect_yolos:is_sound says False" in (tmp_path / "out" / "page.html").read_text()


def test_a_judge_of_ones_own_must_say_yes_or_no(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parent)
    request = ModuleRequest(
        healthy="bisect_nets:good",
        altered="bisect_nets:bad",
        input="2x3x16x16",
        judge="bisect_nets:size",
        out=tmp_path / "out",
    )
    with pytest.raises(ValueError, match="`--judge bisect_nets:size` must be a function"):
        run_module_bisect(request)
    with pytest.raises(ValueError, match="`--judge` must be train, doctor, both, or module:name"):
        ModuleRequest(healthy="a:b", altered="c:d", judge="doctr")
