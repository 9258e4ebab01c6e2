import copy

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
from training_nets import Block, examined, line_of, serious

CHECK = "running-statistics"


def net(**norm) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, **norm), nn.ReLU(), Block())


class OwnNorm(nn.Module):
    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("centre", torch.zeros(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return images - self.centre
        mean = images.mean((0, 2, 3), keepdim=True)
        self.centre = self.keep * self.centre + (1 - self.keep) * mean.detach()
        return images - mean


def test_the_line_that_sets_the_momentum_is_named() -> None:
    class Kerased(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = net()
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = 0.9625  # momentum

        def forward(self, images: Tensor) -> Tensor:
            return self.body(images)

    (finding,) = examined(CHECK, Kerased())
    assert finding.source == line_of(__file__, "momentum")


class Queue(nn.Module):
    """Keeps the last features, as contrastive learning does: no running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.register_buffer("queue", torch.zeros(16, 4))

    def forward(self, images: Tensor) -> Tensor:
        features = self.body(images.mean((2, 3)))
        if self.training:
            self.queue = torch.cat([features.detach(), self.queue[: -len(features)]])
        return features @ self.queue.T


@pytest.mark.parametrize(
    "model",
    [Queue(), nn.Sequential(torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 8, 3)))],
)
def test_other_buffers_that_training_moves_are_clear(model: nn.Module) -> None:
    assert examined(CHECK, model, training_loss=None) == []


@pytest.mark.parametrize(
    ("model", "where", "severity"),
    [
        (net(momentum=0.99), "1", "warning"),
        (net(momentum=0.0), "1", "error"),
        (OwnNorm(0.01), "", "warning"),
    ],
)
def test_statistics_that_forget_or_stand_still_are_found(model, where, severity) -> None:
    found = serious(examined(CHECK, model, training_loss=None))
    assert found == [(where, severity)]


class KeptInEvaluation(nn.Sequential):
    def train(self, mode: bool = True):  # noqa: FBT001, FBT002
        super().train(mode)
        self[1].eval()
        return self


def test_a_norm_kept_in_evaluation_mode_needs_trained_statistics() -> None:
    model = KeptInEvaluation(*net())
    assert serious(examined(CHECK, model)) == [("1", "error")]
    model[1].running_mean.normal_()
    model[1].running_var.add_(0.3)
    assert examined(CHECK, model) == []


def test_statistics_that_move_in_a_frozen_part_are_a_warning() -> None:
    model = net()
    model[:2].requires_grad_(False)
    assert serious(examined(CHECK, model)) == [("1", "warning")]
    model[1].eval()
    assert examined(CHECK, model) == []


@pytest.mark.parametrize(
    "model",
    [net(), net(momentum=0.01), net(momentum=None), net(track_running_stats=False), OwnNorm(0.9)],
)
def test_usual_norms_are_clear(model) -> None:
    assert examined(CHECK, model) == []


def test_reads_well() -> None:
    assert examined(CHECK, net(momentum=0.99))[0].evidence == snapshot(
        "The running statistics of 1 norms are replaced by 99.0% in each training pass: they are those of the last batch alone: `1`."
    )


class Averaged(nn.Module):
    def __init__(self, *, with_buffers: bool) -> None:
        super().__init__()
        self.online, self.with_buffers = net(), with_buffers
        self.average = copy.deepcopy(self.online).requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return self.average.eval()(images)
        if self.with_buffers:
            for then, now in zip(self.average.buffers(), self.online.buffers(), strict=True):
                then.copy_(now)
        return self.online(images)


def test_an_average_inside_of_the_model_needs_the_statistics_too() -> None:
    stale = serious(examined(CHECK, Averaged(with_buffers=False)))
    assert stale == [("average", "warning")]
    assert examined(CHECK, Averaged(with_buffers=True)) == []


def test_frozen_norms_in_evaluation_mode_are_clear() -> None:
    model = KeptInEvaluation(*net())
    model[1].requires_grad_(requires_grad=False)
    assert serious(examined(CHECK, model)) == []
