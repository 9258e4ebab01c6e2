"""A training that cannot become right is not begun, unless somebody insists."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tiny_training import TINY, tiny_samples
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from pocketdet.cli import app
from pocketdet.config_file import save_config
from pocketdet.conventions import ClassList
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.convert import write_dataset


class WholeBatchNorm(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features / features.norm()


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """An attention that divides by a norm over everything, the batch included."""

    def build(self, channels: int) -> nn.Module:
        return WholeBatchNorm()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    samples = tiny_samples(12)
    dataset = Dataset(
        classes=ClassList.of(["bright", "dark"]),
        splits={"train": samples[:8], "val": samples[8:]},
        traits=Traits(),
        root=folder,
        format="coco",
    )
    write_dataset(dataset, folder / "shapes", "coco")
    save_config(TINY, folder / "sound.yaml")
    save_config(replace(TINY, attention=Faulty()), folder / "faulty.yaml")
    return folder


def train(place: Path, config: str, *arguments: str):
    torch.set_num_threads(1)
    return CliRunner().invoke(
        app,
        [
            *("train", str(place / config), "--data", str(place / "shapes")),
            *("--out", str(place / "runs"), "--epochs", "1", "--batch-size", "4"),
            *("--workers", "0", "--device", "cpu", *arguments),
        ],
    )


def test_a_faulty_detector_is_not_trained_and_the_report_says_why(place: Path) -> None:
    result = train(place, "faulty.yaml", "--name", "faulty")
    assert result.exit_code == 1
    assert "error[batch-mixing] attention.stage1" in result.stdout
    assert "--force" in result.stderr
    assert not (place / "runs" / "faulty").exists()


def test_who_insists_gets_the_training_and_the_report(place: Path) -> None:
    result = train(place, "faulty.yaml", "--name", "insisted", "--force")
    assert result.exit_code == 0
    assert "batch-mixing" in (place / "runs" / "insisted" / "doctor.txt").read_text()
    assert (place / "runs" / "insisted" / "last.pt").is_file()


def test_a_sound_detector_is_examined_and_trained_as_without_the_doctor(place: Path) -> None:
    assert train(place, "sound.yaml", "--name", "examined").exit_code == 0
    assert train(place, "sound.yaml", "--name", "unexamined", "--doctor", "off").exit_code == 0
    assert (place / "runs" / "examined" / "doctor.txt").is_file()
    assert not (place / "runs" / "unexamined" / "doctor.txt").exists()
    weights = [
        torch.load(place / "runs" / name / "last.pt", weights_only=True)["weights"]
        for name in ("examined", "unexamined")
    ]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_another_word_is_refused(place: Path) -> None:
    result = train(place, "sound.yaml", "--doctor", "maybe")
    assert "`--doctor` must be on or off; got 'maybe'." in str(result.exception)
