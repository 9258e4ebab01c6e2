from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn
import torch.nn.functional as F

PARTS = {
    "wide": nn.Conv2d(16, 32, 3, padding=1),
    "back": nn.Conv2d(32, 16, 3, padding=1),
    "narrow": nn.Conv2d(16, 4, 1),
    "out_of_narrow": nn.Conv2d(4, 16, 1),
    "project": nn.Conv2d(16, 16, 1, bias=False),
    "expand": nn.Conv2d(16, 48, 1, bias=False),
    "depthwise": nn.Conv2d(16, 16, 3, padding=1, groups=16),
    "up": nn.ConvTranspose2d(16, 16, 2, stride=2),
    "bn": nn.BatchNorm2d(32),
}


def separably(net: Host, x: Tensor, bend) -> Tensor:
    y = bend(net.to_all(F.relu(x)))
    return F.relu(net.to_all(net.depthwise(y)))


def separable_pyramid(net: Host, x: Tensor) -> Tensor:
    """The topmost level is smoothed by a separable layer, and so is what is merged with it."""
    deep = net.to_all(F.relu(F.max_pool2d(x, 2)))
    merged = net.to_all(x) + F.interpolate(deep, scale_factor=2)
    fine, coarse = (F.relu(net.to_all(net.depthwise(y))) for y in (merged, deep))
    return fine + F.interpolate(coarse, scale_factor=2)


def pyramid(net: Host, x: Tensor) -> Tensor:
    deep = F.relu(F.max_pool2d(x, 2))
    merged = net.to_all(x) + F.interpolate(net.to_all(deep), scale_factor=2)
    return F.relu(net.back(net.bn(net.wide(merged)).relu()))


LINEAR: dict[str, Alter] = {
    "two": lambda net, x: F.relu(net.back(net.wide(x))),
    "a leaky slope of 1": lambda net, x: F.relu(net.back(F.leaky_relu(net.wide(x), 1.0))),
    "with a norm between": lambda net, x: F.relu(net.back(net.bn(net.wide(x)))),
    "separable layers": lambda net, x: separably(net, x, lambda y: y),
    "on flattened places": lambda net, x: F.relu(
        net.of_channels(net.of_channels(x.flatten(2).mT)).mT.reshape(x.shape)
    ),
}

RIGHT: dict[str, Alter] = {
    "leaky": lambda net, x: F.relu(net.back(F.leaky_relu(net.wide(x), 0.2))),
    "activated": lambda net, x: F.relu(net.back(F.relu(net.wide(x)))),
    "bottleneck": lambda net, x: F.relu(net.out_of_narrow(net.narrow(x))),
    "projection before an expansion": lambda net, x: F.relu(net.expand(net.project(x)))[:, :16],
    "depthwise": lambda net, x: F.relu(net.to_all(net.depthwise(x))),
    "transposed": lambda net, x: F.relu(net.to_all(net.up(F.max_pool2d(x, 2)))),
    "residual": lambda net, x: F.relu(x + net.back(F.relu(net.wide(x)))),
    "pyramid": pyramid,
    "separable pyramid": separable_pyramid,
    "bent separable layers": lambda net, x: separably(net, x, F.relu),
    "projection before the head": lambda net, x: net.to_all(x),
}


@pytest.mark.parametrize("name", LINEAR)
def test_layers_without_a_bend_between_are_a_warning(name: str) -> None:
    assert found(LINEAR[name], "linear-stack", **PARTS) == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_where_there_is_a_bend_or_a_reason(name: str) -> None:
    assert found(RIGHT[name], "linear-stack", **PARTS) == []


def test_reads_well() -> None:
    (finding,) = examined(LINEAR["two"], "linear-stack", **PARTS).findings
    assert finding.where == "back"
    assert finding.evidence == snapshot(
        "`wide` (16 to 32 channels) and this layer (32 to 16) have nothing but affine steps between them: together they are one affine map, which one layer could be."
    )
