from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn
import torch.nn.functional as F


def written_out(net: Host, x: Tensor, epsilon: float) -> Tensor:
    y = net.to_all(x)
    y = y - y.mean((2, 3), keepdim=True)
    return y * (y.pow(2).mean((2, 3), keepdim=True) + epsilon).rsqrt()


WRONG: dict[str, Alter] = {
    "layer norm": lambda net, x: F.layer_norm(net.to_all(x), x.shape[1:], eps=100.0),
    "group norm": lambda net, x: F.group_norm(net.to_all(x), 4, eps=100.0),
    "written out": lambda net, x: written_out(net, x, 100.0),
}

RIGHT: dict[str, Alter] = {
    "torch's": lambda net, x: F.group_norm(net.to_all(x), 4),
    "TensorFlow's": lambda net, x: F.layer_norm(0.01 * net.to_all(x), x.shape[1:], eps=1e-3),
    "large beside larger": lambda net, x: F.group_norm(100 * net.to_all(x), 4, eps=0.1),
    "written out": lambda net, x: written_out(net, x, 1e-5),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_epsilon_above_the_variance_is_a_warning(name: str) -> None:
    assert found(WRONG[name], "excessive-epsilon") == ["warning"]


def test_finds_it_in_a_batch_norm() -> None:
    def normed(net: Host, x: Tensor) -> Tensor:
        return net.get_submodule("after")(x)

    assert found(normed, "excessive-epsilon", after=nn.BatchNorm2d(16, eps=1000.0)) == ["warning"]
    assert found(normed, "excessive-epsilon", after=nn.BatchNorm2d(16)) == []


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_usual_epsilons(name: str) -> None:
    assert found(RIGHT[name], "excessive-epsilon") == []


def test_reads_well() -> None:
    (finding,) = examined(WRONG["group norm"], "excessive-epsilon").findings
    assert finding.evidence.startswith("The epsilon of `native_group_norm` is 100, and the typical")
    assert set(finding.measured) == snapshot({"epsilon", "variance"})
