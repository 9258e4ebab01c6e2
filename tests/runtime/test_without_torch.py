"""What is promised to those who only run exported files: no torch, nothing that trains."""

import json
import os
from pathlib import Path
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from pocketdet.conventions import ClassList, InputContract
from pocketdet.export import export_detector
from pocketdet.model import DetectorConfig, PeleeStem, TwoWayDense, build
from pocketdet.model.head import PeleeHead
from pocketdet.model.priors import prior_ladder

ROOT = Path(__file__).parents[2]
ABSENT = ("torch", "hotcoco", "matplotlib", "sklearn", "scipy", "yaml", "tensorboard", "onnx")
PROGRAM = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv[0] = "pocketdet"
from pocketdet.cli import main
main()
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained detector that finds something everywhere, a picture, and what torch finds."""
    config = DetectorConfig(
        input=InputContract(height=64, width=64, resize="letterbox"),
        stem=PeleeStem(channels=8),
        stages=(TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),),
        levels_from=(0,),
        extras=(),
        head=PeleeHead(channels=16, priors=prior_ladder((0,), (0.3, 0.5))),
    )
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    detector = build(config, classes=ClassList.of(["ant", "bee"])).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    cv2.imwrite(str(folder / "picture.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    export_detector(detector, folder / "model.onnx")
    found = detector.predict(pixels, score=0.3)
    expected = {"scores": found.scores.tolist(), "boxes": found.boxes_xyxy.tolist()}
    (folder / "expected.json").write_text(json.dumps(expected))
    return folder


def check(document: str, folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    found = json.loads(document)["pictures"][0]["detections"]
    assert len(found) == len(expected["scores"]) > 0
    for place, entry in enumerate(found):
        assert entry["score"] == pytest.approx(expected["scores"][place], abs=1e-4)
    best = [entry["box_xyxy"] for entry in found]
    assert np.allclose(sorted(best), sorted(expected["boxes"]), atol=0.01)


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


def test_predict_runs_where_torch_cannot_be_imported(exported: Path, tmp_path: Path) -> None:
    done = without_torch(
        "predict", str(exported / "model.onnx"), str(exported / "picture.png"),
        "--out", str(tmp_path / "out"), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check(done.stdout, exported)
    assert (tmp_path / "out" / "picture.jpg").is_file()


@pytest.mark.parametrize("command", ["train", "describe", "doctor"])
def test_what_needs_torch_says_what_to_install(command: str) -> None:
    done = without_torch(command, "PELEE_TINY")
    assert done.returncode == 2
    assert "pip install 'pocketdet[train]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_predict_runs_in_an_environment_of_its_own(exported: Path, tmp_path: Path) -> None:
    """Installs into an empty environment, so it needs the package registry."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", f"{ROOT}[runtime]"],
        check=True,
        capture_output=True,
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    no_torch = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    assert no_torch.returncode == 1
    done = subprocess.run(
        [tmp_path / "env/bin/pocketdet", "predict", exported / "model.onnx",
         exported / "picture.png", "--out", tmp_path / "out", "--json"],
        capture_output=True, text=True, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check(done.stdout, exported)
