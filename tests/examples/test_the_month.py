"""The story's networks are what they claim to be: faulty where faulty, sound where sound."""

from pathlib import Path
import sys

import pytest
import torch
from torch import nn

from pocketdet import build, load_config
from pocketdet.model import Detector, NoAttention
from pocketdet.model.evaluation_mode import evaluation_mode

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "the_month"
STEPS = ("base", "altered", "softmax_mended", "norm_mended", "both_mended", "gate_survives")


def detector(step: str) -> Detector:
    torch.manual_seed(0)
    return build(load_config(FOLDER / f"{step}.yaml"), num_classes=2)


def images(number: int) -> torch.Tensor:
    return torch.randn(number, 3, 96, 112)


def gates(network: nn.Module) -> list[nn.Conv2d]:
    """Give the 7×7 convolution of every spatial attention."""
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (7, 7)
    ]


@torch.no_grad()
def change_with_other_gates(step: str) -> float:
    """Say how much the class logits move when every spatial attention looks elsewhere."""
    network, pictures = detector(step), images(2)
    with evaluation_mode(network):
        before = network(pictures).class_logits
        for gate in gates(network):
            nn.init.normal_(gate.weight, std=0.05)
        after = network(pictures).class_logits
    return float((after - before).abs().max() / before.std())


@torch.no_grad()
def change_with_other_images(step: str) -> float:
    """Say how much an image's logits depend on the others in its batch, in evaluation mode."""
    network, pictures = detector(step), images(4)
    with evaluation_mode(network):
        alone = network(pictures[:1]).class_logits
        together = network(pictures).class_logits[:1]
    return float((alone - together).abs().max() / alone.std())


@pytest.mark.parametrize("step", STEPS)
def test_every_step_builds_with_the_same_outputs(step: str) -> None:
    """All shapes are right, whatever is faulty."""
    predictions = detector(step)(images(2))
    assert predictions.class_logits.shape == (2, len(detector("base").priors_cxcywh), 3)
    assert predictions.class_logits.isfinite().all()


@pytest.mark.parametrize(
    ("step", "works"),
    [
        ("altered", False),
        ("norm_mended", False),
        ("softmax_mended", True),
        ("both_mended", False),
        ("gate_survives", True),
    ],
)
def test_the_spatial_attention_works_only_where_nothing_takes_it_out(step, works) -> None:
    change = change_with_other_gates(step)
    assert change > 1e-2 if works else change < 1e-4


@pytest.mark.parametrize(
    ("step", "mixes"),
    [
        ("base", False),
        ("altered", True),
        ("softmax_mended", True),
        ("norm_mended", False),
        ("both_mended", False),
        ("gate_survives", False),
    ],
)
def test_images_mix_only_while_the_normalisation_has_no_axis(step, mixes) -> None:
    change = change_with_other_images(step)
    assert change > 1e-2 if mixes else change < 1e-4


def test_each_step_back_changes_only_what_it_says() -> None:
    configs = {step: load_config(FOLDER / f"{step}.yaml") for step in STEPS}
    altered = configs["altered"]
    changed = {
        step: {
            field
            for field in ("channels", "attention", "norm", "attention_behind", "upsample")
            if getattr(config.neck, field) != getattr(altered.neck, field)
        }
        for step, config in configs.items()
        if step != "base"
    }
    assert changed == {
        "altered": set(),
        "softmax_mended": {"attention"},
        "norm_mended": {"norm"},
        "both_mended": {"attention", "norm"},
        "gate_survives": {"attention", "norm", "attention_behind"},
    }
    assert isinstance(configs["gate_survives"].neck.attention, NoAttention)
    assert all(
        config.stages == altered.stages for step, config in configs.items() if step != "base"
    )


def test_the_script_trains_what_is_missing_and_keeps_what_is_there(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("POCKETDET_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(FOLDER))
    import run as script

    def run(*arguments: str) -> str:
        common = [
            "--scenes",
            "8",
            "--val-scenes",
            "4",
            "--epochs",
            "1",
            "--seeds",
            "1",
            "--only",
            "altered",
        ]
        script.main([*common, "--out", str(tmp_path / "runs"), *arguments])
        return capsys.readouterr().out

    assert "altered, seed 0: AP" in run()
    weights = tmp_path / "runs" / "8-scenes-1-epochs" / "altered-seed0" / "last.pt"
    written = weights.stat().st_mtime_ns
    run()
    assert weights.stat().st_mtime_ns == written
    printed = run("--table")
    assert "| altered, as it was |" in printed
    assert (weights.parents[1] / "table.md").read_text() == printed
    sys.modules.pop("run")
