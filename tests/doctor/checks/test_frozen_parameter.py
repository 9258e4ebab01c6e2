from inline_snapshot import snapshot
import torch
from torch import nn
from training_nets import Block, examined, serious

CHECK = "frozen-parameter"


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), Block(), Block(), nn.Conv2d(8, 4, 1, bias=False))


def found(model: nn.Module) -> list[tuple[str, str]]:
    return serious(examined(CHECK, model))


def frozen_but_norms() -> nn.Module:
    model = net()
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(isinstance(module, nn.BatchNorm2d))
    return model


def trained(model: nn.Module) -> nn.Module:
    """As training leaves weights: some filters large, most small."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(torch.randn(len(parameter), 1, 1, 1).mul(1.5).exp())
    return model


def test_nothing_but_norms_to_train_is_an_error() -> None:
    (finding,) = examined(CHECK, frozen_but_norms())
    assert finding.severity == "error"
    assert finding.evidence == snapshot(
        "All 4 weights (1,400 values) are frozen as they were drawn, the first being `0.weight`; only 4 norms and biases (32 values) are trained."
    )


def test_a_frozen_last_layer_is_a_warning() -> None:
    model = nn.Sequential(net(), nn.Conv2d(4, 16, 3))
    model[1].requires_grad_(False)
    assert found(model) == [("1", "warning")]


def test_a_frozen_backbone_and_frozen_trained_weights_are_clear() -> None:
    probe = nn.Sequential(net().requires_grad_(False), nn.Conv2d(4, 16, 3))
    assert found(probe) == []
    assert found(trained(frozen_but_norms())) == []


def test_a_last_layer_that_nobody_drew_is_clear() -> None:
    model = nn.Sequential(net(), nn.Conv2d(4, 16, 1, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(16, 4)[:, :, None, None])
    model[1].requires_grad_(False)
    assert found(model) == []


def test_all_trained_is_clear() -> None:
    assert found(net()) == []
