from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import Block, examined, line_of, serious

CHECK = "ignored-mode"


class Deaf(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block(3)  # block
        self.drop = nn.Dropout(0.1)

    def train(self, mode: bool = True):  # noqa: FBT001, FBT002
        self.training = mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        return self.drop(self.block(images))


class Functional(nn.BatchNorm2d):
    def forward(self, images: Tensor) -> Tensor:
        return F.batch_norm(images, self.running_mean, self.running_var, training=True)  # norm


def test_modules_that_eval_does_not_reach_are_an_error() -> None:
    findings = examined(CHECK, nn.Sequential(Deaf()))
    assert serious(findings) == [("0.block.norm", "error")]
    assert len(findings[0].measured["modules"]) == 2


def test_a_norm_hard_wired_to_training_is_an_error_at_its_line() -> None:
    (finding,) = examined(CHECK, nn.Sequential(nn.Conv2d(3, 4, 1), Functional(4)))
    assert (finding.severity, finding.where) == ("error", "1")
    assert finding.source == line_of(__file__, "norm")


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(Block(3), nn.Dropout(0.5)),
        nn.Sequential(nn.InstanceNorm2d(3), nn.InstanceNorm2d(3, track_running_stats=True)),
        nn.Sequential(nn.GroupNorm(1, 3), nn.BatchNorm2d(3)),
    ],
)
def test_modules_that_follow_their_mode_are_clear(model) -> None:
    assert examined(CHECK, model) == []


def test_reads_well() -> None:
    assert examined(CHECK, nn.Sequential(Deaf()))[0].evidence == snapshot(
        "After `model.eval()` 2 modules are still in training mode: `0.block.norm` (BatchNorm2d) and others."
    )
