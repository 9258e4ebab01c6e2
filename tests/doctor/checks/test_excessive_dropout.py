from inline_snapshot import snapshot
import pytest
from torch import Tensor, nn
import torch.nn.functional as F
from training_nets import examined, serious


class Functional(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.8, self.training)


def net(dropout: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), dropout, nn.Conv2d(8, 4, 1))


@pytest.mark.parametrize("dropout", [nn.Dropout(0.9), nn.Dropout2d(0.9), Functional()])
def test_finds_what_keeps_less_than_a_quarter(dropout: nn.Module) -> None:
    assert serious(examined("excessive-dropout", net(dropout))) == [("2", "warning")]


@pytest.mark.parametrize("dropout", [nn.Dropout(0.5), nn.Dropout2d(0.7), nn.Identity()])
def test_is_clear_for_usual_shares(dropout: nn.Module) -> None:
    assert examined("excessive-dropout", net(dropout)) == []


def test_reads_well() -> None:
    (finding,) = examined("excessive-dropout", net(nn.Dropout(0.9)))
    assert finding.evidence == snapshot(
        "In training 90% of these features are dropped, and others multiplied by 10. Was the chance to keep meant?"
    )
