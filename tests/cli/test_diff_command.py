import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from pocketdet import Detector, build, recipes
from pocketdet.cli import app
from pocketdet.model.saved_detector import detector_to_data
from pocketdet.requests.edit import DiffRequest, run_diff

ALTERED = """
base: PELEE_TINY
input: {height: 64, width: 96}
attention: [{block: CBAM, after: [stage3], start: identity}]
"""
BASE = """
base: PELEE_TINY
input: {height: 64, width: 96}
"""


@pytest.fixture
def files(tmp_path) -> Path:
    (tmp_path / "altered.yaml").write_text(ALTERED)
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def diff(*arguments: str | Path):
    return CliRunner().invoke(app, ["diff", *map(str, arguments), "--rounds", "0"])


def test_diff_carries_weights_so_that_nothing_changes_at_the_start(files) -> None:
    from pocketdet.config_file import load_config

    base = build(load_config(files / "base.yaml"), num_classes=2)
    torch.save(detector_to_data(base), files / "base.pt")
    result = diff(
        *(files / "base.yaml", files / "altered.yaml", "--weights", files / "base.pt"),
        *("--out", files / "start.pt", "--picture", files / "edit.svg"),
    )
    assert result.exit_code == 0, result.output
    for text in ("attention: NoAttention", "attention.stage3", "carried over (9", "start.pt"):
        assert text in result.output
    assert "<svg" in (files / "edit.svg").read_text()
    start = Detector.load(files / "start.pt")
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(start(images).class_logits, base.eval()(images).class_logits)


def test_diff_prints_one_json_document(files) -> None:
    data = json.loads(diff(files / "base.yaml", files / "base.yaml", "--json").output)
    assert data["changes"] == []
    assert data["transfer"]["share_carried"] == 1.0
    assert {row["fate"] for row in data["rows"]} == {"same"}


def test_weights_of_another_config_are_refused(files) -> None:
    detector = build(recipes.PELEE_TINY, num_classes=2)
    torch.save(detector_to_data(detector), files / "other.pt")
    with pytest.raises(ValueError, match=r"`--weights` must be of .*base.yaml"):
        run_diff(
            DiffRequest(
                base=str(files / "base.yaml"),
                altered=str(files / "altered.yaml"),
                weights=files / "other.pt",
            )
        )


def test_what_cannot_be_done_is_refused_before_anything_is_built() -> None:
    with pytest.raises(ValueError, match="`--out` needs `--weights`"):
        DiffRequest(base="PELEE", altered="PELEE", out=Path("x.pt"))
    with pytest.raises(ValueError, match=r"must end in .svg or .png"):
        DiffRequest(base="PELEE", altered="PELEE", pictures=(Path("x.gif"),))
