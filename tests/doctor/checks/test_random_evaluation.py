import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


class Net(nn.Module):
    def __init__(self, *, aware: bool) -> None:
        super().__init__()
        self.body = nn.Linear(8, 8)
        self.aware = aware

    def forward(self, rows: Tensor) -> Tensor:
        return F.dropout(self.body(rows), 0.5, training=self.training or not self.aware)


def examined(model: nn.Module) -> list[Finding]:
    return list(examine(model, torch.rand(4, 8), only=["random-evaluation"]).findings)


def test_dropout_that_does_not_know_its_mode_is_an_error() -> None:
    (finding,) = examined(Net(aware=False))
    assert (finding.severity, finding.where) == ("error", "")
    assert finding.source is not None
    assert finding.source.startswith("test_random_evaluation.py:")


def test_dropout_in_training_only_is_clear() -> None:
    assert examined(Net(aware=True)) == []


def test_random_numbers_that_reach_no_output_are_clear() -> None:
    class Draws(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            torch.rand(3)
            return rows + 1

    assert examined(Draws()) == []
