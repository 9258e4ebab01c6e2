from inline_snapshot import snapshot
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


def examined(scale: float) -> list[Finding]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 10))

    def loss(model: nn.Module, images: Tensor) -> Tensor:
        return F.cross_entropy(model(images), torch.arange(len(images)) % 10)

    images = scale * torch.rand(8, 3, 4, 4)
    report = examine(model, images, training_loss=loss, only=["overconfident-start"])
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


def test_pictures_that_were_not_normalised_are_seen_in_the_first_loss() -> None:
    (finding,) = examined(scale=255.0)
    assert finding.severity == "warning"
    assert "where a network that knows nothing has 2.3" in finding.evidence


def test_a_start_at_chance_is_clear() -> None:
    assert examined(scale=1.0) == []


class Heat(nn.Module):
    """A map of three classes' centres at a quarter of the size."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 16, 3, 4, 1), nn.ReLU())
        self.predict = nn.Conv2d(16, 3, 1)
        nn.init.constant_(self.predict.bias, bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.predict(self.features(images))


def focal(model: nn.Module, images: Tensor) -> Tensor:
    """One object an image; written out, as users do."""
    logits = model(images)
    wanted = torch.zeros_like(logits)
    wanted[:, 0, 3, 3] = 1
    chance = logits.sigmoid()
    right, wrong = -F.logsigmoid(logits), -F.logsigmoid(-logits)
    terms = wanted * right * (1 - chance) ** 2 + (1 - wanted) * wrong * chance**2
    return terms.sum() / wanted.sum()


def starts(model: nn.Module) -> list[Finding]:
    report = examine(
        model, torch.rand(2, 3, 64, 64), training_loss=focal, only=["overconfident-start"]
    )
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


def test_a_focal_loss_without_the_prior_in_the_bias_is_a_warning() -> None:
    torch.manual_seed(0)
    (finding,) = starts(Heat(bias=0.0))
    assert (finding.severity, finding.where) == ("warning", "predict")
    assert finding.evidence == snapshot(
        "The loss starts at 126.8, and would at 2.67, 47 times lower, if every sigmoid says 0.1, where it now says 0.49 on average."
    )


def test_a_focal_loss_with_the_prior_in_the_bias_is_clear() -> None:
    torch.manual_seed(0)
    assert starts(Heat(bias=-2.2)) == []
    assert starts(Heat(bias=-4.6)) == []
