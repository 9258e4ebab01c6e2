from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

LAST = nn.LayerNorm(16)


def standardised(net: Host, x: Tensor) -> Tensor:
    x = net.to_all(x)
    return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5)


def coordinates(net: Host, x: Tensor) -> Tensor:
    rows = net.to_all(x.mean(3, keepdim=True)).sigmoid()
    columns = net.to_all(x.mean(2, keepdim=True)).sigmoid()
    return x * rows * columns


def axial(net: Host, x: Tensor) -> Tensor:
    rows = net.to_all(x).transpose(1, 2)
    return x + ((rows.mT @ rows).softmax(-1) @ rows.mT).permute(0, 3, 1, 2)


def shuffled(net: Host, x: Tensor) -> Tensor:
    weights = F.pixel_shuffle(net.to_all(F.max_pool2d(x, 2)), 2).softmax(-1)
    return (x.unflatten(1, (4, 4)) * weights[:, None]).flatten(1, 2)


ALONG: dict[str, Alter] = {
    "layer norm": lambda net, x: LAST(net.to_all(x)),
    "normalize": lambda net, x: F.normalize(net.to_all(x), dim=-1),
    "by a norm": lambda net, x: x / (x.norm(dim=2, keepdim=True) + 1e-6),
    "by a root": lambda net, x: x * torch.rsqrt(x.pow(2).mean(3, keepdim=True) + 1e-6),
    "standardised": standardised,
    "softmax of shuffled weights": shuffled,
    "softmax as a gate": lambda net, x: x * net.to_one(x).softmax(-1),
}

RIGHT: dict[str, Alter] = {
    "channels last": lambda net, x: LAST(net.to_all(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    "channels": lambda net, x: F.normalize(net.to_all(x), dim=1),
    "coordinate attention": coordinates,
    "axial attention": axial,
    "both sides": lambda net, x: (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True),
}


@pytest.mark.parametrize("name", ALONG)
def test_a_norm_along_one_side_is_a_warning_however_it_is_written(name: str) -> None:
    assert found(ALONG[name], "norm-along-one-side") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_channels_both_sides_and_pooling(name: str) -> None:
    assert found(RIGHT[name], "norm-along-one-side") == []


def test_reads_well() -> None:
    (finding,) = examined(ALONG["layer norm"], "norm-along-one-side").findings
    assert finding.evidence == snapshot(
        "`native_layer_norm` takes the 16 places along the width of a 2×16×16×16 map together, of each channel and each row for itself; the channels are axis 1."
    )
