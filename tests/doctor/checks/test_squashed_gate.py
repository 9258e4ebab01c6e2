from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F


def over_places(net: Host, x: Tensor) -> Tensor:
    return net.to_one(x).flatten(2).softmax(-1).view(len(x), 1, *x.shape[2:])


def by_hand(net: Host, x: Tensor) -> Tensor:
    raised = net.to_one(x).exp()
    return x * (raised / raised.sum((2, 3), keepdim=True))


def two_branches(net: Host, x: Tensor) -> Tensor:
    pooled = net.of_channels(x.mean((2, 3)))
    share = torch.stack([pooled, -pooled], 1).softmax(1)[..., None, None]
    return x * share[:, 0] + F.relu(net.to_all(x)) * share[:, 1]


def context(net: Host, x: Tensor) -> Tensor:
    pooled = torch.einsum("bcn,bn->bc", x.flatten(2), over_places(net, x).flatten(1))
    return x + pooled[:, :, None, None]


SQUASHED: dict[str, Alter] = {
    "places": lambda net, x: x * over_places(net, x),
    "each channel's places": lambda net, x: x + x * net.to_all(x).flatten(2).softmax(-1).view_as(x),
    "by hand": by_hand,
    "channels": lambda net, x: x * net.of_channels(x.mean((2, 3))).softmax(1)[:, :, None, None],
    "a mean where a sum is meant": lambda net, x: (
        x + net.to_all((x * over_places(net, x)).mean((2, 3), keepdim=True))
    ),
}

RIGHT: dict[str, Alter] = {
    "attention pooling": lambda net, x: (
        x + net.to_all((x * over_places(net, x)).sum((2, 3), keepdim=True))
    ),
    "times the number": lambda net, x: x * over_places(net, x) * x[0, 0].numel(),
    "two branches": two_branches,
    "context by a product": context,
    "sigmoid": lambda net, x: x * net.to_one(x).sigmoid(),
    "matrix product": lambda net, x: (
        x + (x.flatten(2) @ (x.flatten(2).mT @ x.flatten(2)).softmax(-1).mT).view_as(x)
    ),
}


@pytest.mark.parametrize("name", SQUASHED)
def test_shares_as_factors_are_an_error_whatever_made_them(name: str) -> None:
    assert found(SQUASHED[name], "squashed-gate") == ["error"]


@pytest.mark.parametrize("name", RIGHT)
def test_shares_that_are_summed_up_or_large_are_clear(name: str) -> None:
    assert found(RIGHT[name], "squashed-gate") == []


def test_a_normalisation_behind_it_makes_it_a_warning() -> None:
    norm = nn.BatchNorm2d(16)
    alter: Alter = lambda net, x: norm(net.to_all(x * over_places(net, x)))  # noqa: E731
    assert found(alter, "squashed-gate") == ["warning"]


def test_reads_well() -> None:
    (finding,) = examined(by_hand, "squashed-gate").findings
    assert finding.evidence == snapshot(
        "The factors on these 2×16×16×16 features sum to 1 over axes 2 and 3, 256 elements, and are 0.004 on average: they leave 0.42% of the features' size. On a larger map it is less."
    )
