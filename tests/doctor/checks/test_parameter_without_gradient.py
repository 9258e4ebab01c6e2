"""Gradients that are zero by structure, by chance of the start, and on purpose."""

from pathlib import Path

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine

LINES = Path(__file__).read_text().splitlines()


def line_of(fault: str) -> str:
    (number,) = [n for n, line in enumerate(LINES, start=1) if line.endswith(f"# {fault}")]
    return f"{Path(__file__).name}:{number}"


def square(model: nn.Module, images: Tensor) -> Tensor:
    return (model(images) - 1).square().mean()


def examined(model: nn.Module) -> list[Finding]:
    report = examine(
        model,
        torch.rand(2, 3, 16, 16),
        training_loss=square,
        only=["parameter-without-gradient"],
    )
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.gate = nn.Conv2d(8, 8, 1)
        self.head = nn.Conv2d(8, 5, 1)

    def gated(self, features: Tensor) -> Tensor:
        return features * self.gate(features).sigmoid()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.gated(self.norm(self.stem(images)).relu()))


class Rounded(Net):
    def gated(self, features: Tensor) -> Tensor:
        return features * self.gate(features).sigmoid().round()  # round


class Nothing(Net):
    def gated(self, features: Tensor) -> Tensor:
        return features + 0.0 * self.gate(features)


class BothZero(Net):
    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)
        self.scale = nn.Parameter(torch.zeros(()))

    def gated(self, features: Tensor) -> Tensor:
        return features + self.scale * self.gate(features)


class Dead(Net):
    def __init__(self) -> None:
        super().__init__()
        nn.init.constant_(self.gate.bias, -50.0)

    def gated(self, features: Tensor) -> Tensor:
        return features + self.gate(features).relu()


@pytest.mark.parametrize("model", [Rounded, Nothing, BothZero, Dead])
def test_a_gradient_that_is_always_zero_is_found(model) -> None:
    (finding, *more) = examined(model())
    assert finding.severity in ("error", "warning")
    assert {f.where for f in (finding, *more)} <= {"gate", ""}


def test_the_line_of_a_step_without_derivative_is_given() -> None:
    (finding,) = examined(Rounded())
    assert (finding.severity, finding.source) == ("error", line_of("round"))


class ZeroGate(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))

    def gated(self, features: Tensor) -> Tensor:
        return features + self.scale * self.gate(features)


class Attention(Net):
    def gated(self, features: Tensor) -> Tensor:
        weights = self.gate(features).flatten(2).softmax(-1).view_as(features)
        return features + weights * features


class StraightThrough(Net):
    def gated(self, features: Tensor) -> Tensor:
        gate = self.gate(features).sigmoid()
        return features * (gate + (gate.round() - gate).detach())


class Normalised(Net):
    def forward(self, images: Tensor) -> Tensor:
        features = F.instance_norm(self.stem(images))
        return self.head(self.gated(self.norm(features)))


@pytest.mark.parametrize("model", [Net, ZeroGate, Attention, StraightThrough, Normalised])
def test_zeros_on_purpose_are_clear(model) -> None:
    assert examined(model()) == []


def test_reads_well() -> None:
    assert examined(Nothing())[0].evidence == snapshot(
        "The gradient of `gate` (2 parameters, 72 values) is zero in each of 4 training steps, and stays so in double precision on other weights."
    )
