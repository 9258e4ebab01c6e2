from post_network import PostNetwork
import torch
from torch import Tensor, nn

from pocketdet.doctor import Finding, examine


class Net(nn.Module):
    def __init__(self, inserted: nn.Module | None = None, *, skip: bool = True) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block = nn.Conv2d(8, 8, 3, padding=1)
        if inserted is not None:
            self.inserted = inserted
        self.head = nn.Conv2d(8, 4, 1)
        self.skip = skip

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images).relu()
        block = self.block(features)
        features = features + block if self.skip else block
        for name, module in self.named_children():
            if name == "inserted":
                features = module(features)
        return self.head(features)


class Shrink(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features / 100


def examined(model: nn.Module, reference: nn.Module) -> list[Finding]:
    report = examine(
        model,
        torch.rand(2, 3, 16, 16),
        reference=reference,
        training_loss=lambda model, images: model(images).square().mean(),
        only=["parting-from-reference"],
    )
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


def test_equal_networks_do_not_part() -> None:
    assert examined(Net(), Net()) == []


def test_an_inserted_block_is_named() -> None:
    (finding,) = examined(Net(nn.Conv2d(8, 8, 1)), Net())
    assert (finding.severity, finding.where) == ("info", "inserted")


def test_a_skip_that_is_not_added_shows_where_its_result_is_first_used() -> None:
    first = examined(Net(skip=False), Net())[0]
    assert first.where == "head"
    assert "after `block`, where both agree" in first.evidence


def test_a_gradient_that_a_new_block_shrinks_is_a_warning() -> None:
    warnings = [f for f in examined(Net(Shrink()), Net()) if f.severity == "warning"]
    assert [finding.where for finding in warnings] == ["inserted", "block"]
    assert warnings[1].measured["ratio"] < 0.1


def test_a_gate_without_effect_takes_the_gradient_of_what_makes_it() -> None:
    def loss(model: nn.Module, images: Tensor) -> Tensor:
        return model(images).square().mean()

    report = examine(
        PostNetwork(softmax_over_channels=True, over_everything=False),
        torch.rand(2, 3, 64, 64),
        reference=PostNetwork(
            softmax_over_channels=False, over_everything=False, gate_behind_norm=True
        ),
        training_loss=loss,
        only=["parting-from-reference"],
    )
    assert "attention.conv" in [finding.where for finding in report.findings]
