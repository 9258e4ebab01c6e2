"""Convolution and normalisation written anew in NumPy, for the parity tests beside this file."""

import numpy as np
import torch
from torch import nn


def conv2d(x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Convolve (b, c, h, w) by the definition: a sum over kernel places and input channels."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    out_channels, in_group, k_h, k_w = weight.shape
    height = (x.shape[2] - dilation * (k_h - 1) - 1) // stride + 1
    width = (x.shape[3] - dilation * (k_w - 1) - 1) // stride + 1
    out = np.zeros((len(x), out_channels, height, width))
    per_group = out_channels // groups
    for o in range(out_channels):
        first = o // per_group * in_group
        for i in range(in_group):
            for dy in range(k_h):
                for dx in range(k_w):
                    y, z = dy * dilation, dx * dilation
                    seen = x[:, first + i, y : y + stride * height : stride]
                    seen = seen[:, :height, z : z + stride * width : stride][:, :, :width]
                    out[:, o] += weight[o, i, dy, dx] * seen
    return out if bias is None else out + bias[None, :, None, None]


def run_conv(x, convolution: nn.Conv2d):
    """Run a module's weights through the formula; the module itself computes nothing here."""
    return conv2d(
        x,
        array(convolution.weight),
        None if convolution.bias is None else array(convolution.bias),
        stride=convolution.stride[0],
        padding=int(convolution.padding[0]),
        dilation=convolution.dilation[0],
        groups=convolution.groups,
    )


def run_norm(x, norm: nn.BatchNorm2d):
    """Normalise by running statistics (Ioffe and Szegedy 2015, algorithm 2)."""

    def along_channels(tensor):
        return array(tensor)[None, :, None, None]

    scaled = (x - along_channels(norm.running_mean)) / np.sqrt(
        along_channels(norm.running_var) + norm.eps
    )
    return scaled * along_channels(norm.weight) + along_channels(norm.bias)


def conv_norm(x, block: nn.Sequential, *, at: int = 0):
    """Run the convolution and the batch norm at two neighbouring places of a block."""
    return run_norm(run_conv(x, block[at]), block[at + 1])


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(tensor: torch.Tensor):
    return tensor.detach().double().numpy()


def shake(module: nn.Module) -> nn.Module:
    """Give every parameter and running statistic an unremarkable value, and evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.3)
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return module.eval()


def features(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def assert_same(module: nn.Module, given: torch.Tensor, expected) -> None:
    """Compare to 1e-5 of the largest value, in double precision."""
    with torch.no_grad():
        result = module.double()(given.double()).numpy()
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())
