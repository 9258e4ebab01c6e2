from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
from torch import Tensor


def said(net: Host, x: Tensor) -> Tensor:
    return net.of_channels(x.mean((2, 3))).sigmoid()


def channels_last(x: Tensor, gate: Tensor) -> Tensor:
    return (x.permute(0, 2, 3, 1) * gate).permute(0, 3, 1, 2)


# 32 px images make 16×16 maps of 16 channels: a gate of channels fits along the sides too.
WRONG: dict[str, Alter] = {
    "along the width": lambda net, x: x * said(net, x)[:, None, None, :],
    "along the height": lambda net, x: x * said(net, x).view(2, 1, 16, 1),
    "added": lambda net, x: x + said(net, x)[:, None, None],
}

RIGHT: dict[str, Alter] = {
    "along the channels": lambda net, x: x * said(net, x)[:, :, None, None],
    "channels last": lambda net, x: channels_last(x, said(net, x)[:, None, None]),
    "a gate of rows by a convolution": lambda net, x: x * net.to_all(x.mean(3, True)).sigmoid(),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_gate_of_channels_along_a_side_is_a_warning(name: str) -> None:
    assert found(WRONG[name], "crossed-gate") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_along_the_channels(name: str) -> None:
    assert found(RIGHT[name], "crossed-gate") == []


def test_reads_well() -> None:
    (finding,) = examined(WRONG["along the width"], "crossed-gate").findings
    assert finding.evidence == snapshot(
        "`mul` lays the 16 features that `of_channels` made along the width of a 2×16×16×16 map, whose channels are axis 1."
    )
