from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn


def channel(net: Host, x: Tensor) -> Tensor:
    return net.of_channels(x.mean((2, 3)))[:, :, None, None]


def film(net: Host, x: Tensor) -> Tensor:
    scale, shift = net.both(x.mean((2, 3)))[:, :, None, None].chunk(2, dim=1)
    return x * scale + shift


UNBOUNDED: dict[str, Alter] = {
    "places": lambda net, x: x * net.to_one(x),
    "channels": lambda net, x: x * channel(net, x),
    "residual": lambda net, x: x + x * net.to_one(x),
}

RIGHT: dict[str, Alter] = {
    "sigmoid": lambda net, x: x * net.to_one(x).sigmoid(),
    "hardsigmoid": lambda net, x: x * nn.functional.hardsigmoid(channel(net, x)),
    "one plus": lambda net, x: x * (1 + net.to_one(x)),
    "scale and shift": film,
    "each value its own": lambda net, x: x * net.to_all(x),
    "summed up": lambda net, x: x + (x * channel(net, x)).sum(1, keepdim=True),
}


@pytest.mark.parametrize("name", UNBOUNDED)
def test_a_gate_straight_from_a_layer_is_a_warning(name: str) -> None:
    assert found(UNBOUNDED[name], "unbounded-gate") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_bounded_gates_and_other_products(name: str) -> None:
    assert found(RIGHT[name], "unbounded-gate", both=nn.Linear(16, 32)) == []


def test_reads_well() -> None:
    (finding,) = examined(UNBOUNDED["places"], "unbounded-gate").findings
    assert finding.evidence == snapshot(
        "These 2×16×16×16 features are multiplied by the bare result of `convolution` in `to_one`, which is computed from them and reaches from -1.1 to 0.85."
    )
