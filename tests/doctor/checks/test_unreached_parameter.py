"""Each way to lose a gradient, at its line; and what only looks like it."""

from pathlib import Path

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn

from pocketdet.doctor import Finding, examine

LINES = Path(__file__).read_text().splitlines()


def line_of(fault: str) -> str:
    (number,) = [n for n, line in enumerate(LINES, start=1) if line.endswith(f"# {fault}")]
    return f"{Path(__file__).name}:{number}"


def square(model: nn.Module, images: Tensor) -> Tensor:
    return (model(images) - 1).square().mean()


def examined(model: nn.Module, loss=square, **given) -> list[Finding]:
    report = examine(
        model, torch.rand(2, 3, 16, 16), training_loss=loss, only=["unreached-parameter"], **given
    )
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.gate = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1))  # gate
        self.head = nn.Conv2d(8, 5, 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        return self.head(features * self.gate(features).sigmoid())


class NeverCalled(Net):
    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stem(images))


class Detached(Net):
    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        gate = self.gate(features).sigmoid().detach()  # detached
        return self.head(features * gate)


class Data(Net):
    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        return self.head(features * self.gate(features).data)  # data


class WithoutGrad(Net):
    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.stem(images)  # without grad
        return self.head(features * self.gate(features).sigmoid())


class ByNumpy(Net):
    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        gate = torch.from_numpy(self.gate(features).detach().numpy()).sigmoid()  # numpy
        return self.head(features * gate)


class Dropped(Net):
    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        (features * self.gate(features)).relu()  # dropped
        return self.head(features)


@pytest.mark.parametrize(
    ("model", "where", "source"),
    [
        (NeverCalled, "gate", "gate"),
        (Detached, "", "detached"),
        (Data, "", "data"),
        (WithoutGrad, "stem", "without grad"),
        (ByNumpy, "", "numpy"),
        (Dropped, "gate", "dropped"),
    ],
)
def test_each_lost_gradient_is_told_at_its_line(model, where, source) -> None:
    (finding,) = examined(model())
    # What is dropped does nothing; what is cut off was meant to learn.
    expected = "warning" if model is Dropped else "error"
    assert finding.severity == expected, finding.evidence
    assert finding.source == line_of(source)
    assert finding.where in (where, "gate")


def test_a_loss_of_another_model_is_an_error() -> None:
    other = Net()
    (finding,) = examined(Net(), lambda model, images: square(other, images))
    assert (finding.where, finding.severity) == ("", "error")
    assert "never runs the model" in finding.evidence
    assert all(parameter.grad is None for parameter in other.parameters())


class TwoHeads(Net):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.stem(images)
        return self.head(features), self.gate(features)


def test_an_output_that_the_loss_ignores_is_a_warning() -> None:
    (finding,) = examined(TwoHeads(), lambda model, images: model(images)[0].square().mean())
    assert (finding.where, finding.severity) == ("gate", "warning")


class MaskToken(Net):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 8, 1, 1))

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        features = self.stem(images)
        if mask is not None:
            features = features + self.token * mask
        return self.head(features * self.gate(features).sigmoid())


class Teacher(Net):
    def __init__(self) -> None:
        super().__init__()
        self.teacher = nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.teacher(images)
        features = self.stem(images)
        return (self.head(features * self.gate(features)), features - target)[1] + super().forward(
            images
        ).mean()


@pytest.mark.parametrize("model", [Net, MaskToken, Teacher])
def test_parts_for_another_use_are_no_fault(model) -> None:
    assert [f for f in examined(model()) if f.severity != "info"] == []


def test_a_frozen_part_is_clear() -> None:
    model = NeverCalled()
    model.gate.requires_grad_(False)
    assert examined(model) == []


class ZeroGate(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        return self.head(features + self.scale * self.gate(features))


def test_stop_gradients_beside_a_way_that_learns_are_clear() -> None:
    def simsiam(model: Net, images: Tensor) -> Tensor:
        first, second = model.stem(images), model.stem(images.flip(-1))
        predicted = model.gate(first)
        return (predicted - second.detach()).square().mean() + square(model, images)

    assert examined(Net(), simsiam) == []
    assert examined(ZeroGate()) == []


class Levels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 4, 1)
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(())) for _ in range(2)])

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.stem(images).relu()
        levels = [fine, fine[..., ::2, ::2]]
        return [scale * self.head(x) for scale, x in zip(self.scales, levels, strict=True)]


def test_the_scale_of_a_level_without_objects_is_an_info() -> None:
    def coarse_alone(model: nn.Module, images: Tensor) -> Tensor:
        return (model(images)[1] - 1).square().mean()

    (finding,) = examined(Levels(), coarse_alone)
    assert (finding.severity, finding.measured["values"]) == ("info", 1)


def test_reads_well() -> None:
    assert examined(NeverCalled())[0].evidence == snapshot(
        "`gate` gets no gradient from the training loss in any of 4 steps (4 parameters, 144 values, 34.9% of what is to be trained): no operator reads them: nothing but `__init__` mentions them."
    )
