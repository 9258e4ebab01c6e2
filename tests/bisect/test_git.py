"""`git bisect run pocketdet judge …` finds the commit at which a part of one's own went bad."""

from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from pocketdet.bisect.request import JudgeRequest
from pocketdet.bisect.single import judge_config
from pocketdet.bisect.verdict import Verdict
from pocketdet.data.digits.builtin import BuiltinSettings, builtin_dataset
from pocketdet.runs.data import DataSource

HEALTHY = """\
base: PELEE_TINY
input: {height: 64, width: 64}
width: 0.5
"""

CONFIG = HEALTHY + "attention: gate_parts:Gate\n"

PART = """\
from dataclasses import dataclass
import torch
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Gate:
    def build(self, channels):
        return _Gate(channels)


class _Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, features):
        return features * GATE
"""

# Twice the sigmoid: four gates that halve their features learn visibly less in short trainings.
SOUND, DEAD = "2 * torch.sigmoid(self.conv(features))", "torch.softmax(self.conv(features), dim=1)"


@pytest.fixture(scope="session")
def few_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = BuiltinSettings(num_train=64, num_val=16)
    return builtin_dataset(root=tmp_path_factory.mktemp("scenes"), settings=settings)


def test_a_config_that_cannot_be_read_or_built_is_untestable(
    few_scenes: Path, tmp_path: Path
) -> None:
    (tmp_path / "healthy.yaml").write_text(HEALTHY)
    (tmp_path / "odd.yaml").write_text(HEALTHY + "norm: odd_parts:Odd\n")
    (tmp_path / "odd_parts.py").write_text("def broken(:\n")
    request = JudgeRequest(
        config=str(tmp_path / "odd.yaml"),
        against=str(tmp_path / "healthy.yaml"),
        source=DataSource(data=str(few_scenes)),
        judge="doctor",
    )
    judgement = judge_config(request)
    assert judgement.verdict is Verdict.UNTESTABLE
    assert "SyntaxError" in judgement.why


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("judge", ["doctor", "train"])
def test_git_bisect_run_finds_the_bad_commit(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: str
) -> None:
    monkeypatch.setenv("POCKETDET_CACHE", str(tmp_path / "cache"))

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    git("init", "-q")
    (tmp_path / "healthy.yaml").write_text(HEALTHY)
    (tmp_path / "detector.yaml").write_text(CONFIG)
    commits: list[str] = []
    for number, gate in enumerate([SOUND, SOUND, SOUND, DEAD, DEAD, DEAD]):
        text = PART.replace("GATE", gate) if number != 4 else "not python at all :"
        (tmp_path / "gate_parts.py").write_text(f"# {number}\n{text}")
        git("add", "*.yaml", "*.py")
        git("commit", "-qm", str(number))
        commits.append(git("rev-parse", "HEAD").strip())
    git("bisect", "start", commits[-1], commits[0])
    asked = f"{sys.executable} -m pocketdet judge detector.yaml --against healthy.yaml".split()
    said = git("bisect", "run", *asked, "--judge", judge, "--data", str(squares))
    assert f"{commits[3]} is the first bad commit" in said
