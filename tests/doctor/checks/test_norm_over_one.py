from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

ONE_CHANNEL = nn.LayerNorm(1)
EACH_CHANNEL = nn.GroupNorm(16, 16)
ALL_PLACES = nn.GroupNorm(1, 1)


def standardised(net: Host, x: Tensor) -> Tensor:
    pooled = x.mean((2, 3), keepdim=True)
    centred = pooled - pooled.mean((2, 3), keepdim=True)
    return x + net.to_all(
        centred / (centred.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    )


def by_root(net: Host, x: Tensor) -> Tensor:
    gate = net.to_one(x)
    return x * (gate * torch.rsqrt(gate.pow(2).sum(1, keepdim=True) + 1e-12))


OVER_ONE: dict[str, Alter] = {
    "normalize": lambda net, x: x * F.normalize(net.to_one(x), dim=1),
    "norm": lambda net, x: x * (net.to_one(x) / net.to_one(x).norm(dim=1, keepdim=True)),
    "group norm of a pooled map": lambda net, x: (
        x + net.to_all(EACH_CHANNEL(x.mean((2, 3), keepdim=True)))
    ),
    "layer norm of one channel": lambda net, x: (
        x * ONE_CHANNEL(net.to_one(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    ),
    "standardised": standardised,
    "by root": by_root,
}

RIGHT: dict[str, Alter] = {
    "one channel, all places": lambda net, x: x * ALL_PLACES(net.to_one(x)),
    "pooled twice": lambda net, x: (
        x * net.to_all(x.mean((2, 3), keepdim=True)).mean((2, 3), keepdim=True).sigmoid()
    ),
    "channels": lambda _, x: F.normalize(x, dim=1),
    "sign": lambda net, x: x * net.to_one(x).sign(),
}


@pytest.mark.parametrize("name", OVER_ONE)
def test_a_norm_over_one_element_is_an_error_however_it_is_written(name: str) -> None:
    assert found(OVER_ONE[name], "norm-over-one") == ["error"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_where_more_is_taken_together_or_nothing_divided(name: str) -> None:
    assert found(RIGHT[name], "norm-over-one") == []


def test_a_map_that_is_one_place_for_these_images_only_is_an_info() -> None:
    def deepest(_: Host, x: Tensor) -> Tensor:
        return x + F.interpolate(EACH_CHANNEL(F.avg_pool2d(x, 16)), size=x.shape[2:])

    assert found(deepest, "norm-over-one") == ["info"]


def test_reads_well() -> None:
    (finding,) = examined(by_root, "norm-over-one").findings
    assert finding.evidence == snapshot(
        "This normalisation of a 2×1×16×16 map takes one element together, so that a constant or a sign is left of each of its 512 values. 10 parameters stand before it."
    )
