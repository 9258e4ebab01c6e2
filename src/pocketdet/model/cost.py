"""What a network costs: parameters and multiply-accumulates."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pocketdet.model.evaluation_mode import evaluation_mode


def count_parameters(network: nn.Module) -> int:
    """Count trainable values (weights, biases, scales of norms), not running statistics."""
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def count_macs(network: nn.Module, inputs: Tensor) -> int:
    """Count the multiply-accumulates of convolutions and matrix products in one forward pass.

    Norms, activations and sums are left out, as in the papers that count MACs.
    """
    counter: Any = FlopCounterMode(display=False)
    with evaluation_mode(network), counter:
        network(inputs)
    return int(counter.get_total_flops()) // 2
