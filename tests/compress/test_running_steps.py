"""Chained steps: what is written, gone on with, and refused."""

import json
from pathlib import Path

from compress_data import Halve, tiny_detector, write_squares
import pytest
import torch
from typer.testing import CliRunner
import yaml

from pocketdet.cli import app, main
from pocketdet.compress import CompressionRequest, resume_compression, run_compression
from pocketdet.compress.result_folder import ResultFolder, save_detector
from pocketdet.model import Detector
from pocketdet.model.surgery import Channels


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    write_squares(folder)
    save_detector(folder / "detector.pt", tiny_detector())
    return folder


def test_two_steps_leave_checkpoints_steps_and_a_table(place):
    result = CliRunner().invoke(
        app,
        [
            "compress",
            str(place / "detector.pt"),
            "--data",
            str(place / "squares"),
            "--how",
            "compress_data:Halve",
            "--how",
            "{'compress_data:Halve': {epochs: 0.5}}",
            "--out",
            str(place / "compressed"),
            "--runtime",
            "eager",
            "--json",
        ],
        catch_exceptions=False,
    )
    report = json.loads(result.stdout)
    folder = Path(report["folder"])
    assert [step["name"] for step in report["steps"]] == ["1-halve", "2-halve"]
    assert report["steps"][1]["figures"] == {"images": 5.0}
    after = report["steps"][1]["after"]
    assert after["parameters"] == report["start"]["parameters"]
    assert after["latency"]["median"] > 0
    assert after["file_bytes"] == (folder / "2-halve.pt").stat().st_size
    assert [entry["compress_data:Halve"]["epochs"] for entry in _steps(folder)] == [1.0, 0.5]
    assert "| 2-halve |" in (folder / "report.md").read_text()
    weights = [Detector.load(folder / f"{name}.pt").state_dict() for name in ("last", "2-halve")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    start = Detector.load(folder / "0-start.pt").state_dict()
    assert any(not torch.equal(weights[0][name], start[name]) for name in start)


def _steps(folder: Path) -> list[dict[str, dict[str, float]]]:
    return yaml.safe_load((folder / "steps.yaml").read_text())


def test_what_was_stopped_goes_on_after_the_last_finished_step(place, tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    request = CompressionRequest(
        run=place / "detector.pt",
        steps=(Halve(epochs=0.5), Halve(stop=str(stop))),
        data=str(place / "squares"),
        out=tmp_path,
        name="stopped",
        runtime="eager",
    )
    with pytest.raises(KeyboardInterrupt):
        run_compression(request)
    first = tmp_path / "stopped" / "1-halve.pt"
    written = first.stat().st_mtime_ns
    stop.unlink()
    report = resume_compression(tmp_path / "stopped")
    assert len(report.steps) == 2
    assert first.stat().st_mtime_ns == written
    with pytest.raises(ValueError, match="--resume"):
        run_compression(request)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--how", "compress_data:Halv"], "Did you mean `Halve`?"),
        (["--how", "{'compress_data:Halve': {epoch: 1}}"], "Did you mean `epochs`?"),
        (["--how", "nowhere.yaml"], "there is no such file"),
        ([], "`--how`"),
        (["--how", "compress_data:Halve", "--runtime", "onnxruntme"], "Did you mean `onnxruntime`"),
    ],
)
def test_bad_input_is_one_sentence(place, tmp_path, monkeypatch, capsys, arguments, message):
    command = ["pocketdet", "compress", str(place / "detector.pt"), "--data"]
    command += [str(place / "squares"), "--out", str(tmp_path / "out"), *arguments]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_detector_with_fewer_channels_reloads_and_unknown_surgery_is_refused(tmp_path):
    detector = tiny_detector()
    hidden, after = detector.extras[0].squeeze, detector.extras[0].reduce
    surgery = Channels(
        shapes={
            "extras.0.squeeze.0.weight": (5, *hidden[0].weight.shape[1:]),
            **{
                f"extras.0.squeeze.1.{name}": (5,)
                for name in ("weight", "bias", "running_mean", "running_var")
            },
            "extras.0.reduce.0.weight": (16, 5, *after[0].weight.shape[2:]),
        },
        numbers={
            "extras.0.squeeze.0": {"out_channels": 5},
            "extras.0.squeeze.1": {"num_features": 5},
            "extras.0.reduce.0": {"in_channels": 5},
        },
    )
    detector.undergo(surgery)
    for parameter in detector.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    save_detector(tmp_path / "narrow.pt", detector)
    loaded = Detector.load(tmp_path / "narrow.pt")
    assert loaded.surgeries == (surgery,)
    image = torch.randn(1, 3, 64, 64)
    assert torch.equal(loaded(image)[0], detector.eval()(image)[0])
    data = torch.load(tmp_path / "narrow.pt", weights_only=True)
    data["surgery"][0]["kind"] = "chanels"
    torch.save(data, tmp_path / "unknown.pt")
    with pytest.raises(ValueError, match="Did you mean `channels`"):
        Detector.load(tmp_path / "unknown.pt")


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", ""])
def test_a_result_stays_in_its_parent(name: str, tmp_path: Path):
    with pytest.raises(ValueError, match="without a path"):
        ResultFolder.create(tmp_path / "compressed", name, stem="x")
    assert not (tmp_path / "elsewhere").exists()


FAULTY_STEPS = """
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Fails:
    def apply(self, detector, bench):
        raise KeyError("boom")

@dataclass(frozen=True, kw_only=True)
class GivesNothing:
    def apply(self, detector, bench):
        return None
"""


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["faulty_steps:Fails"], r"`step 1` (Fails) cannot be performed: KeyError: 'boom'"),
        (["faulty_steps:GivesNothing"], "must give a StepResult; it gave NoneType"),
        (
            ["{'compress_data:Halve': {epochs: 0.5}}", "faulty_steps:Fails"],
            "(faulty_steps.py:7). `pocketdet compress --resume {folder}` goes on from there.",
        ),
    ],
)
def test_a_step_that_fails_leaves_what_can_go_on_or_nothing(
    place, tmp_path, monkeypatch, capsys, steps, message
):
    (tmp_path / "faulty_steps.py").write_text(FAULTY_STEPS)
    monkeypatch.chdir(tmp_path)
    command = ["pocketdet", "compress", str(place / "detector.pt"), "--runtime", "eager"]
    command += ["--data", str(place / "squares"), "--out", str(tmp_path / "out"), "--name", "x"]
    monkeypatch.setattr("sys.argv", [*command, *[word for s in steps for word in ("--how", s)]])
    with pytest.raises(SystemExit) as ended:
        main()
    folder = tmp_path / "out" / "x"
    assert ended.value.code == 2
    assert message.replace("{folder}", str(folder)) in capsys.readouterr().err
    assert folder.exists() == (len(steps) == 2)
    assert not folder.exists() or (folder / "1-halve.json").is_file()


STOPPED_STEP = """
from dataclasses import dataclass
from pathlib import Path

@dataclass(frozen=True, kw_only=True)
class Stopped:
    def apply(self, detector, bench):
        raise KeyError("boom") if Path("again").exists() else KeyboardInterrupt
"""


def test_a_folder_that_was_there_is_not_taken_away(place, tmp_path, monkeypatch) -> None:
    (tmp_path / "stopped_step.py").write_text(STOPPED_STEP)
    monkeypatch.chdir(tmp_path)
    command = ["pocketdet", "compress", str(place / "detector.pt"), "--runtime", "eager"]
    command += ["--data", str(place / "squares"), "--out", str(tmp_path / "out"), "--name", "x"]
    monkeypatch.setattr("sys.argv", [*command, "--how", "stopped_step:Stopped"])
    with pytest.raises(SystemExit):
        main()
    (tmp_path / "again").touch()
    monkeypatch.setattr("sys.argv", ["pocketdet", "compress", "--resume", str(tmp_path / "out/x")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert (tmp_path / "out" / "x" / "steps.yaml").is_file()
