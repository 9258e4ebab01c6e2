"""What a training did not move: only what nothing of the loss depends on."""

from dataclasses import dataclass, replace

import pytest
from small_trial import SMALL, small_settings, small_trial
import torch
from torch import nn

from pocketdet.trial import Steps, run_trial
from pocketdet.trial.unmoved import unmoved_weights


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One weight a place; with `softmax`, over one channel, it is 1 everywhere."""

    softmax: bool

    def build(self, channels: int) -> nn.Module:
        return _Gate(channels, softmax=self.softmax)


class _Gate(nn.Module):
    def __init__(self, channels: int, *, softmax: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 3, padding=1)
        self.over = nn.Softmax(dim=1) if softmax else nn.Sigmoid()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features * self.over(self.conv(features))


@pytest.mark.parametrize("softmax", [True, False])
def test_a_gate_that_is_always_one_learns_nothing_and_all_else_does(
    source, data, tmp_path, softmax
) -> None:
    config = replace(SMALL, attention=Gate(softmax=softmax))
    trial = small_trial(
        source, config, steps=Steps(total=20, warmup=5), settings=small_settings(weight_decay=0.01)
    )
    result = run_trial(trial, folder=tmp_path, data=data, device="cpu")
    assert result.unmoved == run_trial(trial, folder=tmp_path, data=data, device="cpu").unmoved
    assert bool(result.unmoved) == softmax
    assert all(name.endswith("conv.weight") for name in result.unmoved)


def test_what_is_frozen_or_a_vector_may_stand_still() -> None:
    def net() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))

    trained = net()
    assert unmoved_weights(trained, net()) == ("0.weight", "2.weight")
    trained[0].requires_grad_(requires_grad=False)
    with torch.no_grad():
        trained[2].weight.mul_(0.7)
    assert unmoved_weights(trained, net()) == ("2.weight",)
    with torch.no_grad():
        trained[2].weight[0, 0] += 0.01
    assert unmoved_weights(trained, net()) == ()
