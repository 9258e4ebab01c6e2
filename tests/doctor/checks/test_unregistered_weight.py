import math

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, line_of, serious

CHECK = "unregistered-weight"


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Conv2d(8, 4, 1)
        self.mean = torch.tensor([0.4, 0.5, 0.6])[:, None, None]

    def inner(self, features: Tensor) -> Tensor:
        return features

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.inner(self.stem(images - self.mean)))


class Gamma(Net):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = torch.ones(8, 1, 1, requires_grad=True)  # fault

    def inner(self, features: Tensor) -> Tensor:
        return features * self.gamma


class Computed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(8, 1, 1)) * 0.1  # computed

    def inner(self, features: Tensor) -> Tensor:
        return features * self.gamma


class Listed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.factors = [nn.Parameter(torch.rand(8, 1, 1)) for _ in range(2)]  # listed

    def inner(self, features: Tensor) -> Tensor:
        return features * self.factors[0] + self.factors[1]


class Anew(Net):
    def inner(self, features: Tensor) -> Tensor:
        weight = nn.Parameter(torch.randn(8, 8, 1, 1))
        return F.conv2d(features, weight)  # anew


class AnewConstant(Net):
    def inner(self, features: Tensor) -> Tensor:
        scale = torch.full((8, 1, 1), 0.5, requires_grad=True)
        return features * scale  # anew constant


@pytest.mark.parametrize(
    ("model", "mark"),
    [
        (Gamma, "fault"),
        (Computed, "computed"),
        (Listed, "listed"),
        (Anew, "anew"),
        (AnewConstant, "anew constant"),
    ],
)
def test_trainable_tensors_that_are_no_parameters_are_an_error(model, mark) -> None:
    (finding,) = examined(CHECK, model(), training_loss=None)
    assert (finding.severity, finding.where) == ("error", "")
    assert finding.source == line_of(__file__, mark)


class Plain(Net):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = torch.randn(8, 8, 3, 3) * 0.1

    def inner(self, features: Tensor) -> Tensor:
        return F.conv2d(features, self.kernel, padding=1)


class Ones(Net):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = torch.ones(1, 8, 1, 1)

    def inner(self, features: Tensor) -> Tensor:
        return features * self.gamma


@pytest.mark.parametrize("model", [Plain, Ones])
def test_plain_tensors_that_look_like_weights_are_a_warning(model) -> None:
    assert serious(examined(CHECK, model())) == [("", "warning")]


class Constants(Net):
    def __init__(self) -> None:
        super().__init__()
        sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
        self.sobel = sobel.expand(8, 1, 3, 3)
        places = torch.arange(16.0)
        self.cosine = torch.cos(math.pi / 16 * (places[None] + 0.5) * places[:, None])
        self.bins = torch.arange(16.0)
        self.anchors = torch.rand(4, 1, 1)
        self.register_buffer("projection", torch.randn(16, 16))

    def inner(self, features: Tensor) -> Tensor:
        features = F.conv2d(features, self.sobel, padding=1, groups=8) @ self.cosine
        features = features @ self.projection
        return features + (features.softmax(-1) @ self.bins)[..., None]

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.anchors


@pytest.mark.parametrize("model", [Net, Constants])
def test_constants_are_clear(model) -> None:
    assert examined(CHECK, model()) == []


def test_reads_well() -> None:
    assert examined(CHECK, Gamma())[0].evidence == snapshot(
        "`gamma` is a 8×1×1 tensor with `requires_grad`, read by `mul`, and no registered parameter: no optimizer made from `parameters()` trains it."
    )
