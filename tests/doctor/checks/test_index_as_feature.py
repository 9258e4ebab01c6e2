from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor
import torch.nn.functional as F


def spatial(net: Host, x: Tensor, largest: Tensor) -> Tensor:
    both = torch.cat([x.mean(1, keepdim=True), largest.to(x.dtype)], 1)
    return x * net.to_one(both.repeat(1, 8, 1, 1)).sigmoid()


def chosen(net: Host, x: Tensor) -> Tensor:
    best = net.to_all(x).argmax(1, keepdim=True)
    return net.to_all(x) * x.gather(1, best)


WRONG: dict[str, Alter] = {
    "the second of max": lambda net, x: spatial(net, x, net.to_all(x).max(1, keepdim=True)[1]),
    "argmax": lambda net, x: spatial(net, x, net.to_all(x).argmax(1, keepdim=True)),
}

RIGHT: dict[str, Alter] = {
    "the first of max": lambda net, x: spatial(net, x, net.to_all(x).max(1, keepdim=True)[0]),
    "an index that chooses": chosen,
    "a mask": lambda net, x: spatial(net, x, (x > x.mean(1, keepdim=True))[:, :1]),
    "pooling": lambda net, x: F.max_pool2d(net.to_all(x), 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_places_given_to_a_layer_are_a_warning(name: str) -> None:
    assert found(WRONG[name], "index-as-feature") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_values_and_choices(name: str) -> None:
    assert found(RIGHT[name], "index-as-feature") == []


def test_reads_well() -> None:
    (finding,) = examined(WRONG["argmax"], "index-as-feature").findings
    assert finding.evidence == snapshot(
        "`argmax` of a 2×16×16×16 map gives places, whole numbers, and `convolution` in `to_one` at test_index_as_feature.py:11 takes them for features."
    )
