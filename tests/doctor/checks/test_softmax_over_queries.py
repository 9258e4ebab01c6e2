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


def in_heads(x: Tensor) -> Tensor:
    """(batch, heads, places, 4)."""
    return F.avg_pool2d(x, 4).flatten(2).mT.unflatten(2, (4, 4)).transpose(1, 2)


def over_heads(net: Host, x: Tensor) -> Tensor:
    q, k = in_heads(net.to_all(x)), in_heads(x)
    shares = torch.einsum("bhqd,bhkd->bhqk", q, k).softmax(1)
    return spread(x, torch.einsum("bhqk,bhkd->bhqd", shares, k).transpose(1, 2).flatten(2).mT)


def written_out(net: Host, x: Tensor, axis: int) -> Tensor:
    raised = scores(net, x).exp()
    shares = raised / raised.sum(axis, keepdim=True)
    return spread(x, (shares[..., None] * values(x)[:, None]).sum(2).mT)


def expected(net: Host, x: Tensor, axis: int) -> Tensor:
    """A distance in place of four bins of a channel, as heads with distributions give."""
    shares = net.to_all(x).unflatten(1, (4, 4)).softmax(axis)
    return x + (shares * torch.arange(4.0)[:, None, None]).sum(2).mean(1, keepdim=True)


WRONG: dict[str, Alter] = {
    "axis of the heads": over_heads,
    "exponentials over their sum, and a sum of products": lambda net, x: written_out(net, x, 1),
    "an expected value over the sides": lambda net, x: expected(net, x, 1),
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


def gate_of_channels(net: Host, x: Tensor) -> Tensor:
    return x + (x * net.to_all(x).softmax(1)).mean((2, 3), keepdim=True)


def global_and_local(net: Host, x: Tensor) -> Tensor:
    shares = scores(net, x).softmax(-1)
    near, far = shares[..., :5] @ values(x)[:, :5], shares[..., 5:] @ values(x)[:, 5:]
    return spread(x, (near + far).mT)


RIGHT: dict[str, Alter] = {
    "exponentials over their sum": lambda net, x: written_out(net, x, 2),
    "an expected value over the bins": lambda net, x: expected(net, x, 2),
    "a gate of channels, pooled": gate_of_channels,
    "one softmax, two products": global_and_local,
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
    assert finding.evidence.startswith("This softmax of 2×16×16 scores runs over another")
    assert finding.remedy == snapshot(
        "Run the softmax over the keys, or the bins: the axis that the product with the values sums over."
    )
