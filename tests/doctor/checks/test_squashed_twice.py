from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine

Loss = Callable[[nn.Module, Tensor], Tensor]


def classifier(*last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 16), nn.ReLU(), nn.Linear(16, 10), *last)


def examined(model: nn.Module, loss: Loss | None = None) -> list[Finding]:
    report = examine(model, torch.rand(4, 3, 4, 4), training_loss=loss, only=["squashed-twice"])
    assert report.results[0].outcome != "crashed", report.results[0].reason
    return list(report.findings)


def labels(images: Tensor) -> Tensor:
    return torch.arange(len(images)) % 10


def cross_entropy(model: nn.Module, images: Tensor) -> Tensor:
    return F.cross_entropy(model(images), labels(images))


def negative_log_likelihood(model: nn.Module, images: Tensor) -> Tensor:
    return F.nll_loss(model(images), labels(images))


def binary(model: nn.Module, images: Tensor) -> Tensor:
    target = F.one_hot(labels(images), 10).float()
    return F.binary_cross_entropy_with_logits(model(images), target)


def distilled(model: nn.Module, images: Tensor) -> Tensor:
    teacher = torch.rand(len(images), 10).softmax(-1)
    return F.kl_div(model(images), teacher, reduction="batchmean")


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        (nn.Softmax(dim=1), cross_entropy),
        (nn.Sigmoid(), cross_entropy),
        (nn.Sigmoid(), binary),
        (nn.Softmax(dim=-1), negative_log_likelihood),
        (nn.Softmax(dim=-1), distilled),
    ],
)
def test_probabilities_in_a_loss_for_logits_are_an_error_at_what_made_them(
    last: nn.Module, loss: Loss
) -> None:
    (finding,) = examined(classifier(last), loss)
    assert (finding.severity, finding.where) == ("error", "4")


def test_they_are_followed_through_reshapes_and_concatenation() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score = nn.Conv2d(3, 10, 1)

        def forward(self, images: Tensor) -> Tensor:
            maps = [self.score(images), self.score(F.max_pool2d(images, 2))]
            rows = [torch.sigmoid(m).permute(0, 2, 3, 1).reshape(len(m), -1, 10) for m in maps]
            return torch.cat(rows, dim=1)

    def focal(model: nn.Module, images: Tensor) -> Tensor:
        probability = model(images).sigmoid()  # a second time, before a loss of one's own
        return -(probability.clamp(1e-6).log()).mean()

    (finding,) = examined(Head(), focal)
    assert finding.severity == "error"
    assert ".5 to .73" in finding.evidence


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        ((), cross_entropy),
        ((), binary),
        ((nn.LogSoftmax(dim=1),), negative_log_likelihood),
        ((nn.LogSoftmax(dim=1),), cross_entropy),  # idempotent
        ((nn.LogSoftmax(dim=1),), distilled),
    ],
)
def test_logits_and_logarithms_are_clear(last: tuple[nn.Module, ...], loss: Loss) -> None:
    assert examined(classifier(*last), loss) == []


def test_a_temperature_in_between_is_clear() -> None:
    def sharpened(model: nn.Module, images: Tensor) -> Tensor:
        return F.cross_entropy((model(images) - 0.5) * 20, labels(images))

    assert examined(classifier(nn.Sigmoid()), sharpened) == []


def test_reads_well() -> None:
    (finding,) = examined(classifier(nn.Softmax(dim=1)), cross_entropy)
    assert finding.evidence.replace(__file__, "") == snapshot(
        "`_log_softmax` in the loss (test_squashed_twice.py:29) takes what `_softmax` of `4` at test_squashed_twice.py:29 gave, which is already between 0 and 1. With 10 classes the loss can never fall below 1.46."
    )
