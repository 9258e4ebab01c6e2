import pytest
from tiny_training import tiny_detector, tiny_settings
import torch
from torch import nn

from pocketdet.train.optimizer import DECAYED, UNDECAYED, build_optimizer, decayed_names


def test_only_kernels_decay():
    detector = tiny_detector()
    names = decayed_names(detector)
    parameters = dict(detector.named_parameters())
    for name, parameter in parameters.items():
        assert (name in names) == (parameter.dim() >= 2), name
    norms = [
        name for name, module in detector.named_modules() if isinstance(module, nn.BatchNorm2d)
    ]
    assert norms
    assert not any(name.startswith(f"{norm}.") for name in names for norm in norms)
    assert not any(name.endswith("bias") for name in names)


def test_a_vector_does_not_decay_whatever_its_shape():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma = nn.Parameter(torch.ones(1, 8, 1, 1))
            self.temperature = nn.Parameter(torch.ones(()))
            self.norm = nn.LayerNorm((4, 4))
            self.gate = nn.Conv2d(2, 1, 7)

    assert decayed_names(Scaled()) == {"gate.weight"}


def test_every_parameter_is_in_exactly_one_named_group():
    detector = tiny_detector()
    frozen = next(detector.parameters()).requires_grad_(requires_grad=False)
    optimizer = build_optimizer(detector, tiny_settings(weight_decay=1e-3))
    groups = {group["name"]: group for group in optimizer.param_groups}
    assert groups[DECAYED]["weight_decay"] == 1e-3
    assert groups[UNDECAYED]["weight_decay"] == 0
    given = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(given) == len(set(given))
    assert set(given) == {id(p) for p in detector.parameters() if p is not frozen}


def test_a_detector_without_trainable_parameters_is_refused():
    detector = tiny_detector().requires_grad_(requires_grad=False)
    with pytest.raises(ValueError, match="all are frozen"):
        build_optimizer(detector, tiny_settings())
