"""Weights as indices into a short list of values: Deep Compression's shared weights.

Han et al. 2016, arXiv 1510.00149, section 3. A codebook makes a file small. No runtime that we know
computes faster from one: the values are looked up first.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from pocketdet.model.quantized.uniform import check_bits

ROUNDS = 30
"""Of k-means; one-dimensional clusters hardly move after ten."""


class _FromCodebook(Function):
    """Look up; gradients pass straight through to the weights, and are summed for the centroids."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, codebook: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(indices)
        ctx.shape = codebook.shape
        return codebook.flatten()[indices].reshape(weight.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        (indices,) = ctx.saved_tensors
        sums = gradient.new_zeros(ctx.shape.numel())
        sums.scatter_add_(0, indices.flatten(), gradient.flatten())
        return gradient, sums.reshape(ctx.shape), None


class Codebook(nn.Module):
    """2^bits values for each group of output channels, placed by k-means.

    - `centroids`: (groups, 2^bits) float32, ascending, learned where a network is trained further;
    - `axis`: where the output channels are (0; 1 in a transposed convolution).

    A codebook costs 4 · 2^bits bytes; a layer too small for so many values of its own has
    fewer (`groups` is 1 then, and the rest of the row repeats its last value).
    """

    centroids: nn.Parameter

    def __init__(self, weight: Tensor, *, bits: int, groups: int = 1, axis: int = 0) -> None:
        super().__init__()
        check_bits("bits", bits)
        if groups < 1 or weight.shape[axis] % groups:
            raise ValueError(
                f"`groups` must divide the layer's {weight.shape[axis]} output channels; "
                f"got {groups}."
            )
        self.bits, self.axis, self.groups = bits, axis, groups
        self.centroids = nn.Parameter(torch.zeros(groups, 2**bits, device=weight.device))
        self.fit(weight)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.numel() == 0:
            return weight
        indices = self.integers(weight).long()
        offsets = (2**self.bits) * torch.arange(self.groups, device=weight.device)[:, None]
        rows = (self._rows(indices) + offsets).reshape(self._moved_shape(weight))
        flat = self._back(rows)
        result: Any = _FromCodebook.apply(weight, self.centroids, flat)
        return result

    @torch.no_grad()
    def integers(self, weight: Tensor) -> Tensor:
        """Give the uint8 index of the nearest value for each weight."""
        ordered, order = self.centroids.sort(dim=1)
        middles = (ordered[:, 1:] + ordered[:, :-1]) / 2
        nearest = torch.searchsorted(middles.contiguous(), self._rows(weight).contiguous())
        return self._back(order.gather(1, nearest).reshape(self._moved_shape(weight))).to(
            torch.uint8
        )

    @torch.no_grad()
    def values(self, integers: Tensor) -> Tensor:
        """Give the float32 weight that indices stand for."""
        rows = self.centroids.gather(1, self._rows(integers.long()))
        return self._back(rows.reshape(self._moved_shape(integers)))

    @torch.no_grad()
    def fit(self, weight: Tensor) -> None:
        """Place the values by k-means, from an even start over the range (its section 3.2).

        A layer of no more different weights than values is held exactly.
        """
        for group, values in enumerate(self._rows(weight)):
            self.centroids[group] = _k_means(values, 2**self.bits)

    def _rows(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.axis, 0).reshape(self.groups, -1)

    def _moved_shape(self, weight: Tensor) -> torch.Size:
        return weight.movedim(self.axis, 0).shape

    def _back(self, moved: Tensor) -> Tensor:
        return moved.movedim(0, self.axis).contiguous()

    def extra_repr(self) -> str:
        return f"{self.bits} bits, {self.groups} groups"


def _k_means(values: Tensor, count: int) -> Tensor:
    """Give `count` ascending centroids of (n,) values."""
    different = values.unique()
    if len(different) <= count:
        last = different[-1:].expand(count - len(different))
        return torch.cat([different, last])
    # Half even over the range, as the paper found best, half by rank, so that no cluster is empty.
    even = torch.linspace(float(different[0]), float(different[-1]), count, device=values.device)
    ranks = torch.linspace(0, len(values) - 1, count, device=values.device).round().long()
    centroids = ((even + values.sort().values[ranks]) / 2).sort().values
    for _ in range(ROUNDS):
        nearest = torch.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)
        sums = torch.zeros_like(centroids).scatter_add_(0, nearest, values)
        counts = torch.zeros_like(centroids).scatter_add_(0, nearest, torch.ones_like(values))
        moved = torch.where(counts > 0, sums / counts.clamp(min=1), centroids)
        if torch.equal(moved, centroids):
            break
        centroids = moved
    return centroids.sort().values
