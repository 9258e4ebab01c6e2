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
