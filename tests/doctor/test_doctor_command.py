"""`pocketdet doctor` as its users meet it."""

import json
from pathlib import Path
import subprocess
import sys
import textwrap

import pytest
from typer.testing import CliRunner

from pocketdet import recipes
from pocketdet.cli import app
from pocketdet.doctor import ALL_CHECKS

FAULTY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Conv2d(3, 1, 1)
        self.head = nn.Conv2d(3, 4, 1)

    def forward(self, images):
        gate = self.score(images).softmax(dim=1)
        return self.head(images * gate)

def loss(model, images):
    return model(images).square().mean()

class Sound(Net):
    def forward(self, images):
        return self.head(images * self.score(images).sigmoid())
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"nets_{abs(hash(tmp_path)) % 10**8}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(FAULTY))
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


def run(*arguments: str):
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_a_fault_is_exit_code_1_with_module_line_and_remedy(nets: str) -> None:
    result = run(f"{nets}:Net", "--input", "2x3x16x16")
    assert result.exit_code == 1
    assert f"error[softmax-over-one] the model ({nets}.py:12)" in result.output
    assert "remedy: " in result.output


def test_a_sound_network_is_exit_code_0(nets: str) -> None:
    result = run(f"{nets}:Sound", "--input", "2x3x16x16", "--loss", f"{nets}:loss")
    assert "error[" not in result.output
    assert result.exit_code == 0


def test_json_and_sarif_hold_the_same_findings(nets: str, tmp_path: Path) -> None:
    result = run(f"{nets}:Net", "--input", "2x3x16x16", "--json", "--sarif", "new/found.sarif")
    report = json.loads(result.stdout)
    sarif = json.loads((tmp_path / "new/found.sarif").read_text())
    found = [finding["check"] for finding in report["findings"]]
    assert found[0] == "softmax-over-one"
    assert [entry["ruleId"] for entry in sarif["runs"][0]["results"]] == found
    place = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": f"{nets}.py"},
        "region": {"startLine": 12},
    }
    assert {row["check"] for row in report["results"]} == {check.id for check in ALL_CHECKS}


def test_a_silenced_check_needs_its_reason(nets: str) -> None:
    network = (f"{nets}:Net", "--input", "2x3x16x16", "--only", "softmax-over-one")
    assert run(*network, "--allow", "softmax-over-one=an experiment").exit_code == 0
    result = run(*network, "--allow", "softmax-over-one")
    assert isinstance(result.exception, ValueError)
    assert "`--allow` must be check=reason" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs what to examine"),
        (["{nets}:Net"], "`--input` must say what the network takes"),
        (["{nets}:Nett", "--input", "1x3x8x8"], "Did you mean `Net`?"),
        (["{nets}:Net", "--input", "1x3x8,8"], "forward pass raised"),
        (["{nets}:Net", "--input", "1×3×8×8"], "`--input` must be sizes such as 2x3x320x320"),
        (["{nets}:loss", "--input", "1x3x8x8"], "is called without arguments"),
        (["no_such_module:Net", "--input", "1x3x8x8"], "neither installed nor in"),
        (["PELEE_TNY"], "Did you mean `PELEE_TINY`?"),
        (["PELEE_TINY", "--only", "softmax-over-two"], "Did you mean `softmax-over-one`?"),
        (["--explain", "softmax-over"], "Did you mean `softmax-over-one`?"),
    ],
)
def test_bad_input_is_one_sentence(nets: str, arguments: list[str], said: str) -> None:
    result = run(*[text.replace("{nets}", nets) for text in arguments])
    assert isinstance(result.exception, ValueError | TypeError)
    assert said in str(result.exception)


def test_every_check_is_listed_and_explained() -> None:
    listed = run("--list")
    assert all(check.id in listed.output for check in ALL_CHECKS)
    explained = run("--explain", "batch-mixing")
    assert "## When it is not a fault" in explained.output


OTHER_RECIPES = sorted(recipes.names().keys() - {"PELEE_TINY"})


@pytest.mark.parametrize(
    "recipe",
    ["PELEE_TINY", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_RECIPES)],
)
def test_our_own_recipes_are_sound(recipe: str) -> None:
    result = run(recipe, "--classes", "3", "--json")
    report = json.loads(result.stdout)
    assert [f for f in report["findings"] if f["severity"] != "info"] == []
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def build(): raise KeyError('x')", "raised KeyError: 'x' (raising_net.py:1)"),
        ("1 / 0", "`raising_net:build` cannot be imported: ZeroDivisionError"),
    ],
)
def test_what_the_users_module_raises_is_one_sentence(text, message, tmp_path) -> None:
    (tmp_path / "raising_net.py").write_text(text)
    command = [sys.executable, "-m", "pocketdet", "doctor", "raising_net:build", "--input", "1x3"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
