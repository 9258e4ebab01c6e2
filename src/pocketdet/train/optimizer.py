"""SGD, with weight decay only where it belongs."""

from typing import Any

import torch
from torch import nn

from pocketdet.train.settings import TrainSettings

DECAYED = "weights"
UNDECAYED = "norms-and-biases"


def build_optimizer(model: nn.Module, settings: TrainSettings) -> torch.optim.SGD:
    """Build SGD with momentum over two named groups of parameters.

    Kernels and matrices decay. Biases, everything in a normalisation and any other vector,
    whatever its shape, do not: they shift and scale, and are not many enough to over-fit.
    Parameters with `requires_grad=False` are left out.
    """
    names = decayed_names(model)
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trainable:
        raise ValueError("`model` must have a parameter that can be trained; all are frozen.")
    groups: list[dict[str, Any]] = [
        {
            "name": DECAYED,
            "params": [p for name, p in trainable.items() if name in names],
            "weight_decay": settings.weight_decay,
        },
        {
            "name": UNDECAYED,
            "params": [p for name, p in trainable.items() if name not in names],
            "weight_decay": 0.0,
        },
    ]
    device = next(iter(trainable.values())).device
    return torch.optim.SGD(
        groups,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        fused=device.type in ("cpu", "cuda"),
    )


def decayed_names(model: nn.Module) -> set[str]:
    """Give the qualified names of the parameters that weight decay shrinks."""
    names: set[str] = set()
    for module_name, module in model.named_modules():
        if _is_normalisation(module):
            continue
        for name, parameter in module.named_parameters(recurse=False):
            is_vector = parameter.numel() == max(parameter.shape, default=1)
            if not is_vector and not name.endswith("bias"):
                names.add(f"{module_name}.{name}" if module_name else name)
    return names


def _is_normalisation(module: nn.Module) -> bool:
    return isinstance(
        module,
        nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm | nn.GroupNorm
        | nn.LayerNorm | nn.InstanceNorm2d,
    )  # fmt: skip
