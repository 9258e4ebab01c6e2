"""Which layer gets how many bits, under a budget of bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pocketdet.compress.quantize.sensitivity import LayerSensitivity
from pocketdet.model.quantized import Codebook, QuantizedDetector, WeightCode, WeightGrid
from pocketdet.model.quantized.packing import packed_size

CHOICES = (2, 3, 4, 5, 6, 7, 8)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One layer at one number of bits: its bytes, and the noise that it adds to the outputs."""

    bits: int
    size: int
    noise: float


def allocate(options: Mapping[str, Sequence[Option]], budget: int) -> dict[str, int]:
    """Give each layer its bits, greedily by noise removed for each byte.

    Every layer begins with its least option (options ascend in bits). Raises `ValueError` when not
    even these fit.
    """
    chosen = dict.fromkeys(options, 0)
    size = sum(layer[0].size for layer in options.values())
    if size > budget:
        raise ValueError(
            f"`kilobytes` must be at least {size / 1000:.1f} for the weights of this detector at "
            f"{CHOICES[0]} bits; {max(0, budget) / 1000:.1f} are left for them."
        )
    while True:
        best = max(
            (
                (_gain(layer, chosen[name], step), name, step)
                for name, layer in options.items()
                for step in range(chosen[name] + 1, len(layer))
                if size + layer[step].size - layer[chosen[name]].size <= budget
            ),
            default=None,
        )
        if best is None or best[0] <= 0:
            return {name: options[name][place].bits for name, place in chosen.items()}
        _, name, step = best
        size += options[name][step].size - options[name][chosen[name]].size
        chosen[name] = step


def _gain(layer: Sequence[Option], now: int, then: int) -> float:
    removed = layer[now].noise - layer[then].noise
    return removed / max(1, layer[then].size - layer[now].size)


@torch.no_grad()
def layer_options(
    held: QuantizedDetector, sensitivities: Sequence[LayerSensitivity], *, codebook: bool
) -> dict[str, list[Option]]:
    """Say what each layer would cost and add at each number of bits.

    The noise in the outputs is what the scan measured at the scan's bits, times the squared error
    of the weights relative to that at the scan's bits: near its optimum a network answers
    small errors of a layer in proportion.
    """
    options: dict[str, list[Option]] = {}
    for layer in sensitivities:
        weight = held.get_submodule(layer.layer).get_parameter("weight").detach()
        axis = held.weight_grid(layer.layer).axis
        now = _squared_error(weight, held.weight_grid(layer.layer))
        noise = 10 ** (-layer.decibel / 10)
        options[layer.layer] = []
        for bits in CHOICES:
            grid = (
                Codebook(weight, bits=bits, axis=axis)
                if codebook
                else WeightGrid(weight, bits=bits, axis=axis)
            )
            size = packed_size(weight.numel(), bits=bits) + (4 * 2**bits if codebook else 0)
            share = _squared_error(weight, grid) / max(now, 1e-20)
            options[layer.layer].append(Option(bits=bits, size=size, noise=noise * share))
    return options


def _squared_error(weight: Tensor, grid: WeightGrid | Codebook) -> float:
    return float((grid.values(grid.integers(weight)) - weight).square().sum())


def codes_of(bits: Mapping[str, int], *, codebook: bool) -> dict[str, WeightCode]:
    """Give each layer's number of bits as how its weights are held."""
    return {name: WeightCode(bits=number, codebook=codebook) for name, number in bits.items()}
