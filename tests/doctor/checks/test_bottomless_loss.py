from inline_snapshot import snapshot
import pytest
from small_losses import (
    Outputs,
    by_overlap,
    classes_of,
    findings_of,
    multibox,
    of_samples,
    positives,
)
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pocketdet.doctor import examine

CHECK = "bottomless-loss"


def climbing(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    return classes_of(outputs[1], targets) - (here - wanted).abs().mean()


def likelihood_without_its_minus(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    here, wanted = positives(outputs[0], targets)
    classes = torch.stack([c for _, c in targets])
    said = outputs[1].log_softmax(-1).gather(2, classes[..., None])
    return said.mean() + F.mse_loss(here, wanted)


def with_a_predicted_spread(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    """The last logit of a row is the logarithm of its boxes' variance."""
    here, wanted = positives(outputs[0], targets)
    spread, _ = positives(outputs[1], targets)
    likely = F.gaussian_nll_loss(here, wanted, spread[:, -1:].clamp(-6, 6).exp().expand_as(here))
    return classes_of(outputs[1], targets) + likely


def with_an_entropy_bonus(outputs: Outputs, targets: list[Outputs]) -> Tensor:
    shares = outputs[1].softmax(-1)
    entropy = -(shares * (shares + 1e-9).log()).sum(-1).mean()
    return multibox(outputs, targets) - 0.1 * entropy


@pytest.mark.parametrize("loss", [climbing, likelihood_without_its_minus])
def test_a_term_with_the_wrong_sign_is_an_error(loss) -> None:
    findings = findings_of(CHECK, of_samples(loss))
    assert [f.severity for f in findings] == ["error"]
    assert findings[0].source is not None
    assert findings[0].source.startswith("test_bottomless_loss.py")


@pytest.mark.parametrize(
    "loss", [multibox, by_overlap, with_a_predicted_spread, with_an_entropy_bonus]
)
def test_losses_with_a_bottom_are_clear(loss) -> None:
    assert findings_of(CHECK, of_samples(loss)) == []


def test_no_pipeline_is_needed() -> None:
    def loss(model: nn.Module, images: Tensor) -> Tensor:
        return (
            F.nll_loss(model(images).softmax(1), torch.arange(len(images)) % 4)
            - model(images).norm()
        )

    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 4))
    report = examine(net, torch.rand(4, 3, 4, 4), training_loss=loss, only=[CHECK])
    assert [f.severity for f in report.findings] == ["error"]


def test_reads_well() -> None:
    assert findings_of(CHECK, of_samples(climbing))[0].evidence == snapshot(
        "The loss is 0.695 for the network's own outputs; where they go down its slope it falls to -6.7e+06, -1.3e+07 and on, as fast as they grow: it has no bottom."
    )
