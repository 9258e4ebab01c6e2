from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor
import torch.nn.functional as F


def scores(net: Host, x: Tensor) -> Tensor:
    """(batch, queries, keys)."""
    x = F.avg_pool2d(x, 4)
    return 3 * net.to_all(x).flatten(2).mT @ x.flatten(2)


def spread(x: Tensor, attended: Tensor) -> Tensor:
    side = int(attended.shape[-1] ** 0.5)
    return x + F.interpolate(attended.unflatten(-1, (side, side)), size=x.shape[2:])


def values(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 4).flatten(2).mT


WRONG: dict[str, Alter] = {
    "axis of the queries": lambda net, x: spread(x, (scores(net, x).softmax(1) @ values(x)).mT),
    "keys times queries": lambda net, x: spread(
        x, (scores(net, x).mT.softmax(-1).mT @ values(x)).mT
    ),
    "values on the left": lambda net, x: spread(x, values(x).mT @ scores(net, x).softmax(-1)),
}


def slots(net: Host, x: Tensor) -> Tensor:
    weights = scores(net, x).softmax(1)
    return spread(x, ((weights / weights.sum(-1, keepdim=True)) @ values(x)).mT)


def clusters(net: Host, x: Tensor) -> Tensor:
    shares = net.to_all(x).flatten(2).softmax(1)
    return x + (shares @ x.flatten(2).mT).mean((1, 2))[:, None, None, None] / 100


RIGHT: dict[str, Alter] = {
    "axis of the keys": lambda net, x: spread(x, (scores(net, x).softmax(-1) @ values(x)).mT),
    "values on the left": lambda net, x: spread(x, values(x).mT @ scores(net, x).softmax(-1).mT),
    "fused": lambda _, x: spread(
        x, F.scaled_dot_product_attention(values(x), values(x), values(x)).mT
    ),
    "slot attention": slots,
    "soft assignment": clusters,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_softmax_over_the_queries_is_a_warning_however_it_is_written(name: str) -> None:
    assert found(WRONG[name], "softmax-over-queries") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_where_the_weights_that_are_summed_sum_to_one(name: str) -> None:
    assert found(RIGHT[name], "softmax-over-queries") == []


def test_reads_well() -> None:
    torch.manual_seed(0)
    (finding,) = examined(WRONG["axis of the queries"], "softmax-over-queries").findings
    assert finding.evidence.startswith("This softmax of 2×16×16 scores runs over the axis")
    assert finding.remedy == snapshot(
        "Run the softmax over the keys: the axis that the product with the values sums over."
    )
