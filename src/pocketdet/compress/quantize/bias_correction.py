"""Shift each layer's bias by the mean error that rounding makes."""

import torch
from torch import Tensor, nn

from pocketdet.model.quantized import QuantizedDetector


@torch.no_grad()
def correct_biases(held: QuantizedDetector, images: Tensor) -> None:
    """Make each channel's mean behind every layer what it was in float.

    Nagel et al. 2019, arXiv 1906.04721, section 4.2, here measured on (n, 3, H, W) pictures, all of
    them in one pass: each layer is corrected with those before it corrected already. Layers without
    a bias are left out; of a shared layer the first call counts.
    """
    means: dict[str, Tensor] = {}
    layers = {
        name: layer
        for name in held.bits.weights
        if "bias" in dict((layer := held.get_submodule(name)).named_parameters())
    }
    held.eval()
    _pass(held, images, {name: _Remember(name, means) for name in layers}, layers, in_float=True)
    _pass(held, images, {name: _Correct(name, means) for name in layers}, layers, in_float=False)


def _pass(
    held: QuantizedDetector,
    images: Tensor,
    hooks: "dict[str, _Remember] | dict[str, _Correct]",
    layers: dict[str, nn.Module],
    *,
    in_float: bool,
) -> None:
    handles = [layers[name].register_forward_hook(hook) for name, hook in hooks.items()]
    try:
        if in_float:
            with held.in_float():
                held(images)
        else:
            held(images)
    finally:
        for handle in handles:
            handle.remove()


class _Remember:
    def __init__(self, name: str, means: dict[str, Tensor]) -> None:
        self.name, self.means = name, means

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self.means.setdefault(self.name, _channel_means(output))


class _Correct:
    def __init__(self, name: str, means: dict[str, Tensor]) -> None:
        self.name, self.means = name, means

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor | None:
        if self.name not in self.means:
            return None
        shift = self.means.pop(self.name) - _channel_means(output)
        module.get_parameter("bias").add_(shift)
        is_map = output.dim() == 4
        return output + (shift[:, None, None] if is_map else shift)


def _channel_means(output: Tensor) -> Tensor:
    is_map = output.dim() == 4
    return output.mean(dim=(0, 2, 3)) if is_map else output.reshape(-1, output.shape[-1]).mean(0)
