"""Fold each batch norm into the convolution before it, and branches into one convolution."""

from copy import deepcopy
from itertools import pairwise
from typing import TypeVar, cast

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pocketdet.model.foldable import Foldable

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norm(network: Network) -> Network:
    """Give a copy in evaluation mode, with the same outputs and fewer layers.

    Every convolution that stands directly before a batch norm in an `nn.Sequential` takes over
    its scale and shift; the norm becomes an identity. Every `Foldable` inside becomes what it
    folds to.
    """
    folded = deepcopy(network).eval()
    _fold_blocks(folded)
    blocks = [module for module in folded.modules() if isinstance(module, nn.Sequential)]
    for block in blocks:
        parts = {
            name: part for name, part in block.named_children() if not isinstance(part, nn.Identity)
        }
        for (first, convolution), (second, norm) in pairwise(parts.items()):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block.add_module(first, cast(nn.Module, fuse_conv_bn_eval(convolution, norm)))
                block.add_module(second, nn.Identity())
    return folded


def _fold_blocks(network: nn.Module) -> None:
    for name, part in list(network.named_children()):
        if isinstance(part, Foldable):
            network.add_module(name, part.folded().eval())
        else:
            _fold_blocks(part)
