from inline_snapshot import snapshot
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW
from training_nets import Block, examined, serious

CHECK = "optimizer-settings"


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), Block(), nn.Conv2d(8, 4, 1))


@pytest.mark.parametrize(
    ("make", "severity"),
    [
        (lambda p: SGD(p, lr=0.0), "error"),
        (lambda p: SGD(p, lr=0.01, maximize=True), "error"),
        (lambda p: Adam(p, lr=0.5), "warning"),
        (lambda p: Adam(p, lr=1e-3, betas=(0.999, 0.9)), "warning"),
        (lambda p: SGD(p, lr=0.01, momentum=1.0), "error"),
        (lambda p: SGD(p, lr=0.01, weight_decay=0.5), "warning"),
        (lambda p: SGD(p, lr=1e-11), "error"),
    ],
)
def test_settings_that_cannot_train_are_found(make, severity) -> None:
    model = net()
    found = serious(examined(CHECK, model, optimizer=make(list(model.parameters()))))
    assert severity in [found_severity for _, found_severity in found]


def test_a_rate_of_zero_names_the_part_that_has_it() -> None:
    model = net()
    groups = [{"params": model[0].parameters()}, {"params": model[1].parameters(), "lr": 0.0}]
    optimizer = SGD([*groups, {"params": model[2].parameters()}], lr=0.01)
    assert ("1", "error") in serious(examined(CHECK, model, optimizer=optimizer))


def test_a_loss_that_is_no_number_after_a_step_is_an_error() -> None:
    model = net()
    (finding,) = examined(
        CHECK,
        model,
        optimizer=SGD(model.parameters(), lr=9.0, momentum=0.9),
        training_loss=lambda model, images: model(images).pow(8).sum().exp(),
    )
    assert finding.severity == "error"


@pytest.mark.parametrize(
    "make",
    [
        lambda p: SGD(p, lr=0.02, momentum=0.9, weight_decay=5e-4, nesterov=True),
        lambda p: Adam(p, lr=1e-3),
        lambda p: AdamW(p, lr=1e-4, weight_decay=0.05),
        lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9),
        lambda p: torch.optim.Adadelta(p),
        lambda p: torch.optim.Adagrad(p, lr=0.01),
    ],
)
def test_usual_settings_are_clear(make) -> None:
    model = net()
    assert examined(CHECK, model, optimizer=make(list(model.parameters()))) == []


def test_a_warm_up_from_zero_is_clear() -> None:
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 100)
    assert optimizer.param_groups[0]["lr"] == 0
    assert examined(CHECK, model, optimizer=optimizer) == []


def test_reads_well() -> None:
    model = net()
    optimizer = Adam(model.parameters(), lr=0.5)
    assert examined(CHECK, model, optimizer=optimizer)[0].evidence == snapshot(
        "Group 0 of the optimizer (8 parameters) has a learning rate of 0.5, where Adam takes 0.1 at most."
    )


def test_a_gradient_too_small_for_the_rate_is_not_the_settings_fault() -> None:
    """The norm of the coarsest level of an anchor-free head: one value a channel, hardly priced."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    model.weight = nn.Parameter(torch.ones(1))

    def loss(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        return model(images).square().mean() + 1e-5 * model.weight.sum()

    optimizer = SGD(model.parameters(), lr=1e-3)
    assert serious(examined(CHECK, model, optimizer=optimizer, training_loss=loss)) == []
