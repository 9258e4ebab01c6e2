from host import Alter, Host, found
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import examine


def dropped(_: Host, x: Tensor) -> Tensor:
    F.silu(x)
    return x


def copied(net: Host, x: Tensor) -> Tensor:
    y_mean = net.of_channels(x.mean((2, 3)))
    y_most = net.of_channels(x.amax((2, 3)))  # noqa: F841
    return x * torch.sigmoid(y_mean + y_mean)[:, :, None, None]


def left_behind(net: Host, x: Tensor) -> Tensor:
    y = net.own(x)  # noqa: F841
    return x


def in_place(_: Host, x: Tensor) -> Tensor:
    F.relu_(x)
    return x


def kept(net: Host, x: Tensor) -> Tensor:
    net.last = net.own(x)
    return x


def looked_at(net: Host, x: Tensor) -> Tensor:
    if net.own(x).abs().max() > 1e9:
        raise ValueError("too large")
    return x


def logged(_: Host, x: Tensor) -> Tensor:
    x.mean().add(1)
    return x


@pytest.mark.parametrize("alter", [dropped, copied, left_behind])
def test_a_result_that_nothing_reads_is_a_warning(alter: Alter) -> None:
    assert found(alter, "unused-result", own=nn.Conv2d(16, 16, 1)) == ["warning"]


@pytest.mark.parametrize("alter", [in_place, kept, looked_at, logged])
def test_is_clear_for_what_is_used_in_another_way(alter: Alter) -> None:
    assert found(alter, "unused-result", own=nn.Conv2d(16, 16, 1)) == []


class Auxiliary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3)
        self.head = nn.Conv2d(8, 8, 1)
        self.extra = nn.Conv2d(8, 8, 1)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = self.body(images).relu()
        extra = self.extra(features)
        return (self.head(features), extra) if self.training else self.head(features)


def test_an_auxiliary_head_for_training_is_clear() -> None:
    report = examine(Auxiliary(), torch.rand(2, 3, 16, 16), only=["unused-result"])
    assert report.findings == ()
