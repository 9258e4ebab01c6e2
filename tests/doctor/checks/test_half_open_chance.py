from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined as examined_with_loss
from training_nets import serious


def excited(net: Host, x: Tensor, *, last: bool) -> Tensor:
    said = net.of_channels(x.mean((2, 3)))
    gate = (said.relu() if last else said).sigmoid()
    return x * gate[:, :, None, None]


WRONG: dict[str, Alter] = {
    "a gate of channels": lambda net, x: excited(net, x, last=True),
    "a gate of places": lambda net, x: x * F.softplus(net.to_one(x)).sigmoid(),
    "clamped": lambda net, x: x * net.to_one(x).clamp(min=0).sigmoid(),
}

RIGHT: dict[str, Alter] = {
    "a gate": lambda net, x: excited(net, x, last=False),
    "an activation that a layer follows": lambda net, x: x * net.to_one(x.relu()).sigmoid(),
    "of a distance": lambda net, x: x * (x - x.mean(1, keepdim=True)).abs().sigmoid(),
    "clamped to both sides": lambda net, x: x * net.to_one(x).clamp(-8, 8).sigmoid(),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_gate_that_never_closes_is_a_warning(name: str) -> None:
    assert found(WRONG[name], "half-open-chance") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_gates_of_both_signs(name: str) -> None:
    assert found(RIGHT[name], "half-open-chance") == []


class Scored(nn.Module):
    def __init__(self, act: nn.Module, squash: nn.Module) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, padding=1)
        self.score, self.act, self.squash = nn.Conv2d(8, 3, 1), act, squash

    def forward(self, images: Tensor) -> Tensor:
        return self.squash(self.act(self.score(self.body(images).relu())))


def chances(model: nn.Module, images: Tensor) -> Tensor:
    said = model(images)
    return F.binary_cross_entropy(said, torch.zeros_like(said))


def classes(model: nn.Module, images: Tensor) -> Tensor:
    said = model(images)
    return F.cross_entropy(said, torch.zeros_like(said[:, 0]).long())


def test_scores_that_never_fall_below_one_half_are_an_error() -> None:
    net = Scored(nn.ReLU(), nn.Sigmoid())
    found_in = examined_with_loss("half-open-chance", net, training_loss=chances)
    assert serious(found_in) == [("act", "error")]
    net = Scored(nn.Identity(), nn.Sigmoid())
    assert examined_with_loss("half-open-chance", net, training_loss=chances) == []


def test_logits_of_a_relu_in_the_cross_entropy_are_a_warning() -> None:
    net = Scored(nn.ReLU(), nn.Identity())
    found_in = examined_with_loss("half-open-chance", net, training_loss=classes)
    assert serious(found_in) == [("act", "warning")]


def test_reads_well() -> None:
    (finding,) = examined(WRONG["a gate of channels"], "half-open-chance").findings
    assert finding.evidence == snapshot(
        "`relu` gives 0 or more, and `sigmoid` at test_half_open_chance.py:13 takes it for logits: this gate never says less than .5."
    )
