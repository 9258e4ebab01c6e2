from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor


def halves(net: Host, x: Tensor, first: int, second: int) -> Tensor:
    y = net.to_all(x).relu()
    return torch.cat([y[:, first : first + 8], y[:, second : second + 8].tanh()], 1)


def chunked(net: Host, x: Tensor, *, both: bool) -> Tensor:
    a, b = net.to_all(x).chunk(2, 1)
    return torch.cat([a.relu(), (b if both else a).sigmoid()], 1)


def lines(net: Host, x: Tensor, first: int) -> Tensor:
    said = net.of_channels(x.mean((2, 3)))
    gates = said[:, :8], said[..., first : first + 8]
    return x * torch.cat([g.sigmoid() for g in gates], 1)[:, :, None, None]


WRONG: dict[str, Alter] = {
    "a copied slice": lambda net, x: halves(net, x, 0, 0),
    "overlapping slices": lambda net, x: halves(net, x, 0, 4),
    "a piece of chunk": lambda net, x: chunked(net, x, both=False),
    "features of a linear layer": lambda net, x: lines(net, x, 0),
}

RIGHT: dict[str, Alter] = {
    "both halves": lambda net, x: halves(net, x, 0, 8),
    "in another order": lambda net, x: halves(net, x, 8, 0),
    "both pieces": lambda net, x: chunked(net, x, both=True),
    "linear": lambda net, x: lines(net, x, 8),
    "a cut border": lambda net, x: net.to_all(x)[..., 1:-1, 1:-1],
    "a slice beside the whole": lambda net, x: (y := net.to_all(x)) + y[:, :1],
}


@pytest.mark.parametrize("name", WRONG)
def test_channels_that_no_slice_reads_are_a_warning(name: str) -> None:
    assert found(WRONG[name], "unread-channels") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_where_all_are_read(name: str) -> None:
    assert found(RIGHT[name], "unread-channels") == []


def test_reads_well() -> None:
    (finding,) = examined(WRONG["a copied slice"], "unread-channels").findings
    assert finding.evidence == snapshot(
        "8 of the 16 channels (from 8 to 15) of the 2×16×16×16 features that `relu` makes in `the model` are in no slice that is used."
    )
