from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
from torch import Tensor
import torch.nn.functional as F


def tokens(net: Host, x: Tensor, axis: int) -> Tensor:
    rows = net.to_all(x).flatten(2).transpose(1, 2)
    return 4 * F.normalize(rows, dim=axis).transpose(1, 2).reshape(x.shape)


def between_channels(net: Host, x: Tensor) -> Tensor:
    """Cross-covariance attention, whose product sums up over the places again."""
    values = net.to_all(x).flatten(2)
    unit = F.normalize(values, dim=-1)
    return x + ((unit @ unit.mT).softmax(-1) @ values).view_as(x)


def response_norm(net: Host, x: Tensor) -> Tensor:
    length = x.norm(dim=(2, 3), keepdim=True)
    return x * length / (length.mean(1, keepdim=True) + 1e-6)


WRONG: dict[str, Alter] = {
    "tokens along their positions": lambda net, x: tokens(net, x, 1),
    "a whole sample": lambda net, x: x / x.pow(2).sum((1, 2, 3), keepdim=True).sqrt(),
    "a flattened map": lambda net, x: 5 * F.normalize(x.flatten(1), dim=1).view_as(x),
    "by a root": lambda net, x: x * (x * x).sum((2, 3), keepdim=True).add(1e-6).rsqrt(),
    "shares of a sum": lambda net, x: x / (x.sum((2, 3), keepdim=True) + 1e-6),
}

RIGHT: dict[str, Alter] = {
    "tokens along their features": lambda net, x: tokens(net, x, 2),
    "channels": lambda net, x: F.normalize(x, dim=1),
    "instance norm": lambda net, x: F.instance_norm(x),
    "by a mean of squares": lambda net, x: x / x.pow(2).mean((1, 2, 3), keepdim=True).sqrt(),
    "response norm": response_norm,
    "attention between channels": between_channels,
    "with a norm behind it": lambda net, x: F.group_norm(tokens(net, x, 1), 4, eps=1e-9),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_length_that_grows_with_the_image_is_a_warning(name: str) -> None:
    assert found(WRONG[name], "norm-over-places") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_where_features_keep_their_size(name: str) -> None:
    assert found(RIGHT[name], "norm-over-places") == []


def test_reads_well() -> None:
    (finding,) = examined(WRONG["tokens along their positions"], "norm-over-places").findings
    assert finding.evidence == snapshot(
        "`div` divides these 2×256×16 features by a `linalg_vector_norm` of 256 of them, and axis 1 of it grows with the image: on a larger image what comes out is 0.70 times as large."
    )
