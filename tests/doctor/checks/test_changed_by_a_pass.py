from inline_snapshot import snapshot
import torch
from torch import Tensor, nn

from pocketdet.doctor import Finding, examine


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("count", torch.zeros(()))


class InPlace(Network):
    def forward(self, images: Tensor) -> Tensor:
        images -= 0.5
        return self.conv(images)


class Counting(Network):
    def forward(self, images: Tensor) -> Tensor:
        self.count += 1
        return self.conv(images)


class Drifting(Network):
    def forward(self, images: Tensor) -> Tensor:
        self.count += images.mean()
        return self.conv(images - self.count)


class OnACopy(Network):
    def forward(self, images: Tensor) -> Tensor:
        images = images - 0.5
        return self.conv(images).relu_()


def examined(model: nn.Module) -> list[Finding]:
    report = examine(model, torch.rand(2, 3, 8, 8), only=["changed-by-a-pass"])
    return list(report.findings)


def test_an_input_that_is_written_to_is_a_warning() -> None:
    (finding,) = examined(InPlace())
    assert finding.severity == "warning"
    assert finding.source is not None
    assert finding.evidence == snapshot(
        "The input is another after the pass: 100% of its values have changed. `sub_` writes to it."
    )


def test_a_state_that_drifts_in_evaluation_is_an_error() -> None:
    (finding,) = examined(Drifting())
    assert finding.severity == "error"
    assert "`count`" in finding.evidence


def test_a_counter_is_an_info() -> None:
    assert [f.severity.value for f in examined(Counting())] == ["info"]


def test_a_copy_may_be_changed() -> None:
    assert examined(OnACopy()) == []
