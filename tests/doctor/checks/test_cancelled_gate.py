import inspect

from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


def spatial(net: Host, x: Tensor) -> Tensor:
    return net.to_one(x).sigmoid()


def channel(net: Host, x: Tensor) -> Tensor:
    return net.of_channels(x.mean((2, 3))).sigmoid()[:, :, None, None]


def over_channels_last(norm: nn.Module, x: Tensor) -> Tensor:
    return norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def own_norm(x: Tensor) -> Tensor:
    return x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)


def in_place(net: Host, x: Tensor) -> Tensor:
    x = x.clone()
    x *= spatial(net, x)
    return F.normalize(x)


def cosine(net: Host, x: Tensor) -> Tensor:
    weight = F.normalize(net.to_all.weight.flatten(1), dim=1)
    return torch.einsum("bchw,oc->bohw", F.normalize(x * spatial(net, x), dim=1), weight)


NORM = nn.LayerNorm(16)
PER_CHANNEL = nn.InstanceNorm2d(16)
ONE_GROUP = nn.GroupNorm(1, 16)
NO_BIAS = nn.Conv2d(16, 16, 1, bias=False)

CANCELLED: dict[str, Alter] = {
    "exponential": lambda net, x: own_norm(x * net.to_one(x).exp()),
    "one minus": lambda net, x: F.normalize(x * (1 - spatial(net, x))),
    "division": lambda net, x: F.normalize(x / (1 + (-net.to_one(x)).exp())),
    "expanded": lambda net, x: F.normalize(x * spatial(net, x).expand_as(x)),
    "repeated": lambda net, x: F.normalize(x * spatial(net, x).repeat(1, 16, 1, 1)),
    "layer norm": lambda net, x: over_channels_last(NORM, x * spatial(net, x)),
    "instance norm": lambda net, x: PER_CHANNEL(x * channel(net, x)),
    "whole map, one group": lambda net, x: ONE_GROUP(x * channel(net, x).mean(1, keepdim=True)),
    "across a convolution": lambda net, x: ONE_GROUP(
        NO_BIAS(x * channel(net, x).mean(1, keepdim=True))
    ),
    "einsum": lambda net, x: F.normalize(torch.einsum("bchw,bhw->bchw", x, spatial(net, x)[:, 0])),
    "stacked": lambda net, x: F.normalize(x * channel(net, x) * spatial(net, x)),
    "multiplied before": lambda net, x: F.normalize(x * (channel(net, x) * spatial(net, x))),
    "in place": in_place,
    "cosine": cosine,
}

ALIVE: dict[str, Alter] = {
    "norm of a norm": lambda _, x: F.normalize(F.normalize(x)),
    "own norm before another": lambda _, x: over_channels_last(
        NORM, x * x.pow(2).mean(1, keepdim=True).rsqrt()
    ),
    "gate behind the norm": lambda net, x: F.normalize(x) * spatial(net, x),
    "channels before a norm over channels": lambda net, x: F.normalize(x * channel(net, x)),
    "places before one group": lambda net, x: ONE_GROUP(x * spatial(net, x)),
    "residual": lambda net, x: x + 0.1 * F.normalize(x * channel(net, x)),
}


@pytest.mark.parametrize("name", CANCELLED)
def test_a_gate_that_a_norm_divides_out_is_an_error_however_it_is_written(name: str) -> None:
    assert found(CANCELLED[name], "cancelled-gate") == ["error"]


@pytest.mark.parametrize("name", ALIVE)
def test_a_gate_that_does_something_is_clear(name: str) -> None:
    assert found(ALIVE[name], "cancelled-gate") == []


def test_a_context_that_a_norm_subtracts_again_is_a_warning() -> None:
    assert found(lambda net, x: PER_CHANNEL(x + channel(net, x)), "cancelled-gate") == ["warning"]


def test_reads_well_and_names_the_line() -> None:
    (finding,) = examined(in_place, "cancelled-gate").findings
    line = inspect.getsourcelines(in_place)[1] + 2
    assert finding.source == f"test_cancelled_gate.py:{line}"
    assert finding.evidence.startswith("Changing every value of the gate on this 2×16×16×16 map")
    assert finding.remedy == snapshot(
        "Put the gate behind the normalisation, or use one that the normalisation does not divide out: a gate of channels before a norm over channels, one of places before a norm over places."
    )


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


def examined_gated(model: nn.Module) -> list[Finding]:
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
    (finding,) = examined_gated(Gated(of=of, norm=norm))
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
    assert examined_gated(Gated(of=of, norm=norm)) == []
