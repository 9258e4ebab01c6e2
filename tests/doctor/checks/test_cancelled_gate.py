import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


class Gated(nn.Module):
    """A gate of places or channels, a norm behind it, and a head."""

    def __init__(self, *, of: str, norm: nn.Module) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Conv2d(8, 1 if of == "places" else 8, 1)
        self.of = of
        self.norm = norm
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(images)
        logits = self.gate(features)
        if self.of == "channels":
            logits = logits.mean((2, 3), keepdim=True)
        return self.head(self.norm(features * torch.sigmoid(logits)))


class OverChannels(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features, dim=1)


class LayerNormChannels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8, eps=1e-12)

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def examined(model: nn.Module) -> list[Finding]:
    torch.manual_seed(0)
    report = examine(model, torch.rand(2, 3, 12, 12), only=["cancelled-gate"])
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


@pytest.mark.parametrize(
    ("of", "norm"),
    [
        ("places", OverChannels()),
        ("places", LayerNormChannels()),
        ("channels", nn.InstanceNorm2d(8, eps=1e-12)),
    ],
)
def test_a_gate_that_its_norm_divides_out_is_an_error(of: str, norm: nn.Module) -> None:
    (finding,) = examined(Gated(of=of, norm=norm))
    assert (finding.severity, finding.where) == ("error", "")
    assert finding.measured["cancelled_by"].startswith("norm")


@pytest.mark.parametrize(
    ("of", "norm"),
    [
        ("places", nn.InstanceNorm2d(8)),
        ("places", nn.BatchNorm2d(8)),
        ("places", nn.GroupNorm(2, 8)),
        ("channels", OverChannels()),
        ("channels", LayerNormChannels()),
        ("channels", nn.BatchNorm2d(8)),
        ("channels", nn.Identity()),
    ],
)
def test_a_gate_that_the_norm_keeps_is_clear(of: str, norm: nn.Module) -> None:
    assert examined(Gated(of=of, norm=norm)) == []
