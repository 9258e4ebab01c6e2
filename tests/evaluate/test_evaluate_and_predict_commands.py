"""`pocketdet evaluate` and `pocketdet predict`, as people call them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pocketdet import recipes
from pocketdet.cli import app
from pocketdet.conventions import ClassList
from pocketdet.model import build
from pocketdet.model.saved_detector import detector_to_data

NAMES = ["cat", "dog"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("runs") / "first"
    folder.mkdir()
    detector = build(recipes.PELEE_TINY, classes=ClassList.of(NAMES))
    torch.save(detector_to_data(detector), folder / "best.pt")
    return folder


def write_yolo(folder: Path, names: list[str]) -> Path:
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / split / kind).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 255, (80, 120, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / split / "images" / f"{split}{number}.png"), pixels)
            text = f"{number % 2} 0.5 0.5 0.4 0.4\n"
            (folder / split / "labels" / f"{split}{number}.txt").write_text(text)
    (folder / "data.yaml").write_text(
        f"train: train/images\nval: val/images\nnames: {json.dumps(names)}\n"
    )
    return folder


def test_evaluate_prints_within_80_columns_and_writes_its_files(run: Path, tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "data", NAMES)
    result = CliRunner().invoke(app, ["evaluate", str(run), "--data", str(data)])
    assert result.exit_code == 0, result.output
    text = result.stdout.splitlines()
    assert any("IoU .50" in line for line in text)
    assert any(line.startswith("cat") for line in text)
    tables = [line for line in text if "/" not in line]
    assert max(len(line.rstrip()) for line in tables) <= 80
    written = {file.name for file in (run / "evaluation-val").iterdir()}
    assert written == {"metrics.json", "pr_curves.png", "confusion.png", "examples.png"}


def test_evaluate_json_is_one_document_and_equals_the_file(run: Path, tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "data", NAMES[::-1])
    out = tmp_path / "out"
    command = ["evaluate", str(run / "best.pt"), "--data", str(data), "--split", "train"]
    result = CliRunner().invoke(app, [*command, "--json", "--out", str(out)])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads((out / "metrics.json").read_text())
    assert (document["split"], document["num_images"], document["num_boxes"]) == ("train", 3, 3)
    assert [entry["num_boxes"] for entry in document["classes"]] == [1, 2]


def test_evaluate_refuses_data_with_a_class_that_the_detector_lacks(
    run: Path, tmp_path: Path
) -> None:
    data = write_yolo(tmp_path / "data", ["cat", "dogs"])
    result = CliRunner().invoke(app, ["evaluate", str(run), "--data", str(data)])
    assert isinstance(result.exception, ValueError)
    assert "`dogs`" in str(result.exception)
    assert "Did you mean `dog`?" in str(result.exception)


def test_predict_names_a_damaged_file_and_exits_with_1(run: Path, tmp_path: Path) -> None:
    data, out = write_yolo(tmp_path / "data", NAMES), tmp_path / "out"
    (data / "val" / "images" / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    command = ["predict", str(run), str(data / "val" / "images"), "--out", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "bad.jpg" in result.stdout
    assert {file.name for file in out.iterdir()} == {
        "val0.jpg", "val1.jpg", "val2.jpg", "predictions.json",
    }  # fmt: skip


def test_predict_json_is_one_document(run: Path, tmp_path: Path) -> None:
    data, out = write_yolo(tmp_path / "data", NAMES), tmp_path / "out"
    pattern = str(data / "*" / "images" / "*0.png")
    result = CliRunner().invoke(app, ["predict", str(run), pattern, "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [picture["drawn"] for picture in document["pictures"]] == ["train0.jpg", "val0.jpg"]


def test_a_run_that_is_none_is_named(tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    cv2.imwrite(str(picture), np.zeros((20, 20, 3), dtype=np.uint8))
    result = CliRunner().invoke(app, ["predict", str(tmp_path / "absent"), str(picture)])
    assert isinstance(result.exception, ValueError)
    assert "absent" in str(result.exception)
