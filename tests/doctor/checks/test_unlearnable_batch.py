import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, serious

from pocketdet.doctor import examine

CHECK = "unlearnable-batch"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 4)

    def features(self, images: Tensor) -> Tensor:
        return self.stem(images).relu().mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class Saturated(Net):
    def forward(self, images: Tensor) -> Tensor:
        return (self.head(self.features(images)) * 1e-6 + 40).sigmoid()


def classify(model: nn.Module, images: Tensor) -> Tensor:
    return F.cross_entropy(model(images), torch.arange(len(images)))


def noise(model: nn.Module, images: Tensor) -> Tensor:
    said = model(images)
    return (said - torch.randn_like(said)).square().mean()


def test_a_network_that_cannot_learn_is_an_error() -> None:
    assert [s for _, s in serious(examined(CHECK, Saturated(), training_loss=classify))] == [
        "error"
    ]


@pytest.mark.parametrize("loss", [classify, noise])
def test_a_sound_network_learns_even_noise(loss) -> None:
    assert examined(CHECK, Net(), training_loss=loss) == []


def test_targets_that_cannot_be_asked_for_again_are_not_run() -> None:
    own = torch.Generator().manual_seed(1)

    def loss(model: nn.Module, images: Tensor) -> Tensor:
        said = model(images)
        return (said - torch.randn(said.shape, generator=own)).square().mean()

    report = examine(Net(), torch.rand(2, 3, 16, 16), training_loss=loss, only=[CHECK])
    assert report.results[0].outcome == "not run"
    assert "anew in each call" in report.results[0].reason


def test_a_loss_that_is_mostly_a_constant_is_clear() -> None:
    def loss(model: nn.Module, images: Tensor) -> Tensor:
        return classify(model, images) + 1e4

    assert examined(CHECK, Net(), training_loss=loss) == []
