from collections.abc import Callable

from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor, nn
from training_nets import examined, line_of

CHECK = "vanished-constant"
Loss = Callable[[nn.Module, Tensor], Tensor]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softmax(1))


def lost_epsilon(model: nn.Module, images: Tensor) -> Tensor:
    return -(model(images).half() + 1e-8).log().mean().float()  # lost


def bound_of_one(model: nn.Module, images: Tensor) -> Tensor:
    chance = model(images).bfloat16().clamp(1e-4, 1 - 1e-4)
    return -(1 - chance).log().mean().float()


def bound_of_zero(model: nn.Module, images: Tensor) -> Tensor:
    return (1 / model(images).half().clamp(min=1e-9)).mean().float()


def in_single(model: nn.Module, images: Tensor) -> Tensor:
    return -(model(images).half().float() + 1e-8).log().mean()


def large_enough(model: nn.Module, images: Tensor) -> Tensor:
    return -(model(images).half() + 1e-6).log().mean().float()


def only_added(model: nn.Module, images: Tensor) -> Tensor:
    return (model(images).half() + 1e-8).square().mean().float()


@pytest.mark.parametrize("loss", [lost_epsilon, bound_of_one, bound_of_zero])
def test_a_constant_that_keeps_nothing_from_zero_is_a_warning(loss: Loss) -> None:
    (finding,) = examined(CHECK, net(), training_loss=loss)
    assert finding.severity == "warning"


@pytest.mark.parametrize("loss", [in_single, large_enough, only_added])
def test_is_clear_where_the_precision_holds_it_or_nothing_needs_it(loss: Loss) -> None:
    assert examined(CHECK, net(), training_loss=loss) == []


def test_is_an_error_where_values_are_zero_already_and_names_the_line() -> None:
    (finding,) = examined(CHECK, nn.ReLU(), training_loss=lost_epsilon_of_zeros)
    assert (finding.severity, finding.source) == ("error", line_of(__file__, "zeros"))
    assert finding.evidence == snapshot(
        "The constant 1e-08 of `add` is 0 in float16, the precision of its tensor, and what follows is infinite at zero; 1,536 values are 0 after it already now."
    )


def lost_epsilon_of_zeros(model: nn.Module, images: Tensor) -> Tensor:
    return -(model(-images).half() + 1e-8).log().mean().float()  # zeros
