"""`pocketdet train`, from the command line to the run's folder."""

import csv
from dataclasses import replace
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest
from tiny_training import TINY, tiny_samples
import torch
from typer.testing import CliRunner
import yaml

from pocketdet.cli import app, main
from pocketdet.config_file import load_config, save_config
from pocketdet.conventions import ClassList
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.any_format import write_dataset
from pocketdet.model import Detector
from pocketdet.train.checkpoint import read_checkpoint
from pocketdet.train.settings_file import read_settings

FLAGS = [
    "--accumulate",
    "--augmentation",
    "--batch-size",
    "--cache",
    "--data",
    "--device",
    "--doctor",
    "--epochs",
    "--force",
    "--help",
    "--json",
    "--learning-rate",
    "--minutes",
    "--name",
    "--no-ema",
    "--out",
    "--patience",
    "--precision",
    "--resume",
    "--seed",
    "--settings",
    "--split-train",
    "--split-val",
    "--weights",
    "--workers",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a data set in it, one box of which is bad, and a config file."""
    folder = tmp_path_factory.mktemp("place")
    samples = tiny_samples(14)
    boxes = samples[0].boxes_xyxy.clone()
    boxes[0, 2] = boxes[0, 0]
    samples[0] = replace(samples[0], boxes_xyxy=boxes)
    dataset = Dataset(
        classes=ClassList.of(["bright", "dark"]),
        splits={"train": samples[:8], "val": samples[8:12], "test": samples[12:]},
        traits=Traits(),
        root=folder,
        format="coco",
    )
    write_dataset(dataset, folder / "shapes", "coco")
    save_config(TINY, folder / "tiny.yaml")
    return folder


def run_train(place, *arguments):
    common = ["--data", str(place / "shapes"), "--out", str(place / "runs")]
    small = ["--batch-size", "4", "--workers", "0", "--device", "cpu"]
    small += ["--doctor", "off"]
    return CliRunner().invoke(
        app,
        ["train", str(place / "tiny.yaml"), *common, *small, *arguments],
        catch_exceptions=False,
    )


def test_the_flags_are_these_and_no_others():
    import typer

    command = typer.main.get_command(app).commands["train"]
    flags = sorted({flag for option in command.params for flag in option.opts if flag[0] == "-"})
    assert sorted([*flags, "--help"]) == sorted(FLAGS)


def test_a_run_leaves_everything_in_its_folder(place):
    result = run_train(place, "--name", "whole", "--epochs", "2", "--json")
    run = place / "runs" / "whole"
    told = json.loads(result.stdout)
    assert told["run"] == str(run)
    assert told["reason"] == "all 2 epochs are done"
    assert 0 <= told["best"]["ap"] <= 1
    assert result.stderr.count("epoch ") == 2
    assert result.stderr.count("zero area") == 1
    assert sorted(path.name for path in run.iterdir()) == [
        "batches-0.png",
        "batches-1.png",
        "batches-2.png",
        "best.pt",
        "config.yaml",
        "curves.png",
        "last.pt",
        "metrics.csv",
        "run.yaml",
        "settings.yaml",
        "tensorboard",
    ]
    assert load_config(run / "config.yaml") == TINY
    assert read_settings(run / "settings.yaml").epochs == 2
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert max(float(row["ap"]) for row in rows) == told["best"]["ap"]
    detector = Detector.load(run)
    assert list(detector.classes) == ["bright", "dark"]
    assert detector.config == TINY


def test_a_run_can_start_from_weights_of_another_structure(place):
    """With attention inserted as the identity, and no step made, the base's AP is the run's."""
    run_train(place, "--name", "base", "--epochs", "1")
    base = read_checkpoint(place / "runs" / "base" / "last.pt")
    (place / "altered.yaml").write_text(
        "base: tiny.yaml\nattention: [{block: SE, after: [stages], start: identity}]\n"
    )
    result = CliRunner().invoke(
        app,
        [
            *("train", str(place / "altered.yaml"), "--data", str(place / "shapes")),
            *("--out", str(place / "runs"), "--name", "altered", "--epochs", "1"),
            *("--batch-size", "4", "--workers", "0", "--device", "cpu", "--no-ema"),
            *("--doctor", "off"),
            *("--weights", str(place / "runs" / "base"), "--learning-rate", "1e-12"),
        ],
        catch_exceptions=False,
    )
    assert result.stderr.count("parameters carried over (9") == 1
    run = place / "runs" / "altered"
    assert yaml.safe_load((run / "run.yaml").read_text())["share_carried"] > 0.9
    fates = {t["fate"] for t in json.loads((run / "transfer.json").read_text())["tensors"]}
    assert fates == {"carried", "new"}
    start = read_checkpoint(run / "last.pt")["weights"]
    for name, value in base["weights"].items():
        if name.endswith(("weight", "bias")):
            assert torch.allclose(value, start[name], atol=1e-6), name


def test_people_are_told_ap_and_where_everything_is(place):
    result = run_train(place, "--epochs", "1", "--no-ema", "--augmentation", "none")
    result_of_next = run_train(place, "--epochs", "1")
    assert "Best: AP 0." in result.stdout
    assert f"Everything is in {place}/runs/tiny-shapes-1" in result.stdout.replace("\n", "")
    assert "tiny-shapes-2" in result_of_next.stdout
    settings = read_settings(place / "runs" / "tiny-shapes-1" / "settings.yaml")
    assert settings.ema_decay is None
    assert settings.augmentation.flip_probability == 0


def test_an_existing_run_is_not_overwritten(place, monkeypatch, capsys):
    (place / "runs" / "taken").mkdir(parents=True)
    with pytest.raises(ValueError, match="no run is overwritten"):
        run_train(place, "--name", "taken", "--epochs", "1")
    assert not list((place / "runs" / "taken").iterdir())


def sentence_for(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["pocketdet", "train", *arguments])
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("pocketdet: ")
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "`--data` must be"),
        (["PELEE_SMAL", "--data", "SHAPES"], "Did you mean `PELEE_SMALL`?"),
        (["--data", "SHAPES", "--split-val", "tset"], "Did you mean `test`?"),
        (["--data", "SHAPES", "--augmentation", "lihgt"], "Did you mean `light`?"),
        (["--data", "SHAPES", "--epochs", "0"], "`epochs` must be a whole number at least 1"),
        (["--data", "SHAPES", "--device", "gpu"], "`device` must be"),
        (["--resume", "nowhere"], "is no run that can go on"),
        (["PELEE", "--resume", "x", "--epochs", "3"], "not RECIPE, --epochs"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_folder(
    place, arguments, words, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    arguments = [str(place / "shapes") if word == "SHAPES" else word for word in arguments]
    assert words in sentence_for(monkeypatch, capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_settings_file_lists_what_differs_and_flags_come_on_top(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({"epochs": 3, "learning_rate": 0.5, "augmentation": "light"}))
    settings = read_settings(file, learning_rate=0.25, seed=None)
    assert (settings.epochs, settings.learning_rate, settings.seed) == (3, 0.25, 0)
    assert settings.augmentation.expand_max == 1.5
    file.write_text("learning_rat: 1")
    with pytest.raises(ValueError, match="Did you mean `learning_rate`"):
        read_settings(file)
    file.write_text("epochs: three")
    with pytest.raises(ValueError, match=r"settings\.yaml: `epochs` must be a whole number"):
        read_settings(file)


def test_a_run_goes_on_where_it_ended_in_time(place):
    run_train(place, "--name", "timed", "--epochs", "3", "--minutes", "0.0001")
    run = place / "runs" / "timed"
    assert read_checkpoint(run / "last.pt")["training"]["epoch"] == 1
    result = CliRunner().invoke(app, ["train", "--resume", str(run)], catch_exceptions=False)
    assert "all 3 epochs are done" in result.stderr
    run_train(place, "--name", "untimed", "--epochs", "3")
    resumed, whole = (
        read_checkpoint(place / "runs" / name / "last.pt") for name in ("timed", "untimed")
    )
    for name, value in whole["weights"].items():
        assert torch.equal(resumed["weights"][name], value), name
    again = CliRunner().invoke(app, ["train", "--resume", str(run)], catch_exceptions=False)
    assert "all 3 epochs are done" in again.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_survives_kill_9(place):
    """With worker processes, through the real command line."""
    command = [sys.executable, "-m", "pocketdet", "train"]
    new = [
        str(place / "tiny.yaml"), "--data", str(place / "shapes"), "--out", str(place / "runs"),
        "--name", "killed", "--epochs", "40", "--batch-size", "4", "--workers", "1", "--doctor", "off",
    ]  # fmt: skip
    run = place / "runs" / "killed"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*command, *new], env=environment, stderr=subprocess.DEVNULL) as process:
        while not (run / "best.pt").is_file():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
    done = read_checkpoint(run / "last.pt")["training"]["epoch"]
    assert 0 < done < 40
    subprocess.run(
        [*command, "--resume", str(run)],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    run_train(place, "--name", "unkilled", "--epochs", "40")
    killed, whole = (
        read_checkpoint(place / "runs" / name / "last.pt") for name in ("killed", "unkilled")
    )
    for name, value in whole["training"]["weights"].items():
        assert torch.equal(killed["training"]["weights"][name], value), name
