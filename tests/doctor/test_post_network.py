"""The month in a second: the story's three faults, each at its own line."""

from pathlib import Path

import post_network
from post_network import PostNetwork
import pytest
import torch

from pocketdet.doctor import Report, examine

FILE = Path(post_network.__file__)


def line_of(fault: str) -> str:
    lines = FILE.read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, start=1) if f"# FAULT {fault}" in line]
    return f"{FILE.name}:{number}"


def examined(**switches: bool) -> Report:
    torch.manual_seed(0)
    return examine(PostNetwork(**switches), torch.rand(2, 3, 64, 64))


def errors(report: Report) -> list[tuple[str, str, str | None]]:
    return [(f.check, f.where, f.source) for f in report.findings if f.severity == "error"]


SOFTMAX = ("softmax-over-one", "attention", line_of("softmax-over-one"))
MIXING = ("batch-mixing", "l2norm", line_of("batch-mixing"))
CANCELLED = ("cancelled-gate", "attention", line_of("cancelled-gate"))


@pytest.mark.parametrize(
    ("softmax_over_channels", "over_everything", "expected"),
    [
        (True, True, [SOFTMAX, MIXING]),
        (True, False, [SOFTMAX]),
        (False, True, [MIXING]),
        (False, False, [CANCELLED]),
    ],
)
def test_each_fault_is_named_at_its_line(softmax_over_channels, over_everything, expected) -> None:
    report = examined(softmax_over_channels=softmax_over_channels, over_everything=over_everything)
    assert errors(report) == expected
    assert not report.ok


def test_the_mended_network_is_sound() -> None:
    report = examined(softmax_over_channels=False, over_everything=False, gate_behind_norm=True)
    assert errors(report) == []
    assert report.ok


def test_the_patient_and_the_random_state_are_left_alone() -> None:
    model = PostNetwork(softmax_over_channels=False, over_everything=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    examine(model, torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
