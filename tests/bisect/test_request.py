"""The whole of it: two config files, data, a folder with the page, the mended config, the log."""

from dataclasses import dataclass
import json
from pathlib import Path
import sys

import pytest
import torch
from torch import Tensor, nn

from pocketdet import load_config
from pocketdet.bisect import request as request_file
from pocketdet.bisect.page import page
from pocketdet.bisect.request import BisectRequest, Judges, run_bisect
from pocketdet.bisect.verdict import Judgement, Verdict
from pocketdet.cli import app
from pocketdet.data.digits.builtin import BuiltinSettings, builtin_dataset
from pocketdet.model import DetectorConfig
from pocketdet.runs.data import DataSource

sys.path.insert(0, str(Path(__file__).resolve().parent))

HEALTHY = """\
base: PELEE_TINY
input: {height: 64, width: 64}
width: 0.25
"""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Nothing passes."""

    def build(self, channels: int) -> nn.Module:
        return _Lost()


class _Lost(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features * 0.0


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = BuiltinSettings(num_train=64, num_val=16)
    return builtin_dataset(root=tmp_path_factory.mktemp("scenes"), settings=settings)


@pytest.fixture
def configs(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "healthy.yaml").write_text(HEALTHY)
    (tmp_path / "altered.yaml").write_text(
        "base: healthy.yaml\nactivation: SiLU\nattention:\n"
        "  - {block: test_request:Lost, after: [stage3]}\n"
        "  - {block: SE, after: [stage1]}\n"
    )
    return str(tmp_path / "healthy.yaml"), str(tmp_path / "altered.yaml")


class ByName:
    """Faulty is what has `Lost` in it: no training, no doctor."""

    def open(self, faulty_end: DetectorConfig, *, known: Judgement | None = None) -> Judgement:
        return known or self(faulty_end)

    def __call__(self, subject: DetectorConfig) -> Judgement:
        is_faulty = "Lost" in str(subject)
        return Judgement(verdict=Verdict.FAULTY if is_faulty else Verdict.HEALTHY, why="its <name>")


@pytest.fixture
def by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    judges = Judges(judge=ByName(), training=None, doctor=None)

    def given(*_: object) -> Judges:
        return judges

    monkeypatch.setattr(request_file, "make_judges", given)


def test_the_folder_has_the_page_the_document_and_the_config_that_mends(
    scenes: Path, configs: tuple[str, str], tmp_path: Path, by_name: None
) -> None:
    request = BisectRequest(
        healthy=configs[0],
        altered=configs[1],
        source=DataSource(data=str(scenes)),
        out=tmp_path / "out",
    )
    result = run_bisect(request)
    assert [change.field for change in result.progress.guilty] == ["attention[stage3]"]
    mended = load_config(tmp_path / "out" / "mended.yaml")
    assert mended == result.mended
    assert "Lost" not in str(mended)
    assert "SE" in str(mended)
    assert type(mended.activation).__name__ == "SiLU"
    page = (tmp_path / "out" / "page.html").read_text()
    assert "its &lt;name&gt;" in page
    assert "attention:" in page  # The mending config itself.
    lines = (tmp_path / "out" / "judgements.jsonl").read_text()
    assert run_bisect(request).to_data()["guilty"] == result.to_data()["guilty"]
    assert (tmp_path / "out" / "judgements.jsonl").read_text() == lines


@pytest.mark.slow
def test_a_blind_bisect_finds_the_part_through_which_nothing_passes(
    squares: Path, configs: tuple[str, str], tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    request = BisectRequest(
        healthy=configs[0],
        altered=configs[1],
        source=DataSource(data=str(squares)),
        judge="train",
        out=tmp_path / "out",
        most_steps=160,
    )
    result = run_bisect(request)
    assert [change.field for change in result.progress.guilty] == ["attention[stage3]"]
    assert result.progress.ended.startswith("The rest is healthy")
    mended = load_config(tmp_path / "out" / "mended.yaml")
    assert mended == result.mended
    assert "Lost" not in str(mended)
    assert type(mended.activation).__name__ == "SiLU"
    page = (tmp_path / "out" / "page.html").read_text()
    assert "data:image/png;base64" in page
    assert "attention[stage3]" in page
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert document["complete"]
    assert document["num_judgements"] == result.num_judgements
    lines = (tmp_path / "out" / "judgements.jsonl").read_text()
    assert "softmax" not in lines
    again = run_bisect(request)
    assert again.progress.guilty == result.progress.guilty
    assert (tmp_path / "out" / "judgements.jsonl").read_text() == lines


def test_the_end_of_the_time_hands_back_the_smallest_set_so_far_and_says_how_to_go_on(
    scenes: Path,
    configs: tuple[str, str],
    tmp_path: Path,
    by_name: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--data", str(scenes), "--max-minutes", "0.0001"]
    with pytest.raises(SystemExit) as ended:
        app(["bisect", *configs, *options, "--out", str(tmp_path / "out")])
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "Not complete: the 0.0001 minutes are up." in said
    assert "The smallest faulty set so far:" in said
    assert f"--out {tmp_path / 'out'}" in said.replace("\n", "")
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert not document["complete"]
    smallest = [change["field"] for change in document["smallest_so_far"]]
    assert sorted(smallest) == ["activation", "attention"]


def test_the_doctors_finding_stands_beside_the_guilty_set_that_it_is_about() -> None:
    finding = {
        "check": "dead-part",
        "where": "attention.0",
        "source": None,
        "evidence": "It is <zero>.",
        "remedy": "Use it.",
    }
    other = {**finding, "check": "loud-part", "where": "stem"}
    change = {"field": "attention[stage3]", "before": None, "after": "Lost"}
    data = {
        "healthy": "a.yaml",
        "altered": "b.yaml",
        "judge": "train",
        "data": "digits",
        "num_judgements": 1,
        "minutes": 1.0,
        "ended": "The rest is healthy",
        "guilty": [{"changes": [change], "why": "it lags", "findings": [finding]}],
        "left_out": [],
        "findings": [finding, other],
        "judgements": [],
    }
    text = page(data, curves=None, mended="base: b.yaml\n")
    beside, besides = text.split("What the doctor says of the altered end besides")
    assert beside.count("dead-part") == 1
    assert "It is &lt;zero&gt;." in beside
    assert "base: b.yaml" in beside
    assert "dead-part" not in besides
    assert "loud-part" in besides


def test_ctrl_c_hands_back_the_smallest_set_so_far_and_the_same_command_goes_on(
    scenes: Path,
    configs: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Interrupted(ByName):
        left = 2

        def __call__(self, subject: DetectorConfig) -> Judgement:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().__call__(subject)

    judge = Interrupted()
    judges = Judges(judge=judge, training=None, doctor=None)
    monkeypatch.setattr(request_file, "make_judges", lambda *_: judges)
    command = ["bisect", *configs, "--data", str(scenes), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        app(command)
    said = capsys.readouterr().out
    assert "Not complete: it was stopped." in said
    assert "The smallest faulty set so far:" in said
    judge.left = 99
    with pytest.raises(SystemExit):
        app([*command, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["complete"]
    assert [one["fields"] for one in document["judgements"]][-1]
    assert document["guilty"][0]["changes"][0]["field"] == "attention[stage3]"
