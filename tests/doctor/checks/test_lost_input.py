from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import examine

CONSTANT: dict[str, Alter] = {
    "times zero": lambda net, x: torch.sigmoid(net.to_all(x) * 0 + 40),
    "saturated": lambda net, x: torch.tanh(net.to_all(x) * 1e4 + 1e6),
    "dead": lambda net, x: F.relu(net.to_all(x) - 1e3),
    "dead branch": lambda net, x: x + F.relu(net.to_all(x) - 1e3),
    "clamped": lambda net, x: x + net.to_all(x).clamp(50, 60),
}

VARIED: dict[str, Alter] = {
    "sigmoid": lambda net, x: x * net.to_all(x).sigmoid(),
    "a mask of the values": lambda net, x: x * (net.to_all(x) > -1e9).float(),
    "ones like": lambda net, x: x + torch.ones_like(net.to_all(x)),
    "a starting zero": lambda net, x: x + net.zero(net.to_all(x)),
}


def mostly_dead(net: Host, x: Tensor) -> Tensor:
    shift = torch.full((16, 1, 1), -1e3)
    shift[0] = 0.0
    return F.relu(net.to_all(x) + shift)


@pytest.mark.parametrize("name", CONSTANT)
def test_a_constant_that_is_made_of_something_varied_is_an_error(name: str) -> None:
    assert found(CONSTANT[name], "lost-input") == ["error"]


@pytest.mark.parametrize("name", VARIED)
def test_what_varies_or_is_constant_by_design_is_clear(name: str) -> None:
    zero = nn.Conv2d(16, 16, 1)
    nn.init.zeros_(zero.weight)
    assert found(VARIED[name], "lost-input", zero=zero) == []


def test_nine_dead_channels_in_ten_are_a_warning() -> None:
    assert found(mostly_dead, "lost-input") == ["warning"]


def test_an_output_that_never_changes_is_an_error() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv2d(3, 4, 3)
            self.head = nn.Conv2d(4, 2, 1)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(1e-12 * self.body(images).tanh())

    report = examine(Forgetful(), torch.rand(2, 3, 16, 16), only=["lost-input"])
    assert [f.severity.value for f in report.findings] == ["error"]


def test_scores_too_faint_for_single_precision_are_clear() -> None:
    faint: Alter = lambda net, x: x * (1e-7 * net.to_all(x)).flatten(2).softmax(-1).view_as(x)  # noqa: E731
    assert found(faint, "lost-input") == []


def test_reads_well() -> None:
    (finding,) = examined(CONSTANT["dead"], "lost-input").findings
    assert finding.evidence == snapshot(
        "`relu` gives a 2×16×16×16 map that is 0 for the given inputs and others, while what goes into it varies. 10 parameters stand before it."
    )
