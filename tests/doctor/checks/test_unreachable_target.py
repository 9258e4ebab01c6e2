from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


def network(*last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), *last)


def examined(
    model: nn.Module, target: Callable[[Tensor], Tensor], compare: Callable[..., Tensor]
) -> list[Finding]:
    def loss(model: nn.Module, images: Tensor) -> Tensor:
        said = model(images).flatten()
        return compare(said, target(torch.linspace(-1, 1, len(said))))

    torch.manual_seed(0)
    only = ["unreachable-target"]
    report = examine(model, torch.rand(2, 3, 12, 12), training_loss=loss, only=only)
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


def by_hand(said: Tensor, target: Tensor) -> Tensor:
    return (said - target).abs().mean()


def with_a_number(said: Tensor, target: Tensor) -> Tensor:
    return (1 - (said - target).abs()).square().mean()


def signed(values: Tensor) -> Tensor:
    return values


def positive(values: Tensor) -> Tensor:
    return 3 * values.abs()


def present(values: Tensor) -> Tensor:
    return (values > 0).float()


OUT_OF_REACH = [
    (nn.ReLU(), signed, F.smooth_l1_loss),
    (nn.Softplus(), signed, F.mse_loss),
    (nn.ReLU(), signed, by_hand),
    (nn.Sigmoid(), positive, F.l1_loss),
    (nn.ReLU(), present, F.binary_cross_entropy_with_logits),
]
IN_REACH = [
    (nn.Identity(), signed, F.smooth_l1_loss),
    (nn.ReLU(), positive, F.smooth_l1_loss),
    (nn.Tanh(), signed, F.mse_loss),
    (nn.Identity(), signed, with_a_number),
    (nn.Sigmoid(), present, F.mse_loss),
    (nn.Identity(), present, F.binary_cross_entropy_with_logits),
]


@pytest.mark.parametrize(("last", "target", "compare"), OUT_OF_REACH)
def test_targets_beyond_the_activation_are_an_error_at_it(last, target, compare) -> None:
    (finding,) = examined(network(last), target, compare)
    assert (finding.severity, finding.where) == ("error", "3")


@pytest.mark.parametrize(("last", "target", "compare"), IN_REACH)
def test_is_clear_where_the_targets_can_be_reached(last, target, compare) -> None:
    assert examined(network(last), target, compare) == []


def test_reads_well() -> None:
    (finding,) = examined(network(nn.ReLU()), signed, F.smooth_l1_loss)
    assert finding.evidence == snapshot(
        "`relu` at the end of this output gives 0 or more, and 50% of the 512 targets that `smooth_l1_loss` compares it with lie outside, such as -1."
    )


def focal_by_hand(said: Tensor, target: Tensor) -> Tensor:
    """As users write it out: chances of the logits themselves."""
    chance = said.sigmoid()
    right = -(chance.clamp(min=1e-6)).log() * (1 - chance) ** 2
    wrong = -((1 - chance).clamp(min=1e-6)).log() * chance**2
    return (target * right + (1 - target) * wrong).mean()


def test_chances_of_logits_that_cannot_be_negative_are_an_error() -> None:
    (finding,) = examined(network(nn.ReLU()), present, focal_by_hand)
    assert (finding.severity, finding.where) == ("error", "3")
    assert "never say less than .5" in finding.evidence


def test_chances_of_free_logits_are_clear() -> None:
    assert examined(network(), present, focal_by_hand) == []
