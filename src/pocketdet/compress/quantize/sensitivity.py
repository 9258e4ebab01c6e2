"""How much each layer, held in few bits alone, changes what the detector says."""

from dataclasses import asdict, dataclass
from math import log10
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pocketdet.data.progress import Progress, silent, track
from pocketdet.model.quantized import QuantizedDetector

MOST_DECIBEL = 120.0
"""What is given where nothing changed at all."""


@dataclass(frozen=True, kw_only=True)
class LayerSensitivity:
    """One layer with the maps that it reads and makes.

    - `decibel`: signal to quantisation noise of the raw outputs, the worse of scores and boxes;
    - `bits`: of its weights; `num_weights`.
    """

    layer: str
    decibel: float
    bits: int
    num_weights: int

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def scan(
    held: QuantizedDetector,
    images: Tensor,
    *,
    progress: Progress = silent,
    weights_only: bool = False,
) -> tuple[LayerSensitivity, ...]:
    """Hold one layer after the other on its grids, all else in float; the worst comes first.

    `images` are (n, 3, H, W) normalised pictures, of which few suffice.
    """
    held.eval()
    plan = held.plan_for((held.contract.height, held.contract.width))
    readers = {name: {name} for name in plan.kernels}
    for placement in plan.placements:
        if placement.weights is not None and not weights_only:
            maps = {placement.input_grid, placement.grid} - {None}
            readers[placement.weights] |= {name for name in maps if name is not None}
    with held.in_float():
        true = held(images)[:2]
    found: list[LayerSensitivity] = []
    for name in track(list(plan.kernels), "sensitivity scan", progress):
        with held.quantised_only(readers[name]):
            outputs = held(images)[:2]
        pairs = zip(outputs, true, strict=True)
        found.append(
            LayerSensitivity(
                layer=name,
                decibel=min(signal_to_noise(one, other) for one, other in pairs),
                bits=held.weight_grid(name).bits,
                num_weights=held.get_submodule(name).get_parameter("weight").numel(),
            )
        )
    return tuple(sorted(found, key=lambda layer: layer.decibel))


def signal_to_noise(found: Tensor, true: Tensor) -> float:
    """Give 10 log10(mean of true² / mean of (found - true)²)."""
    noise = float((found - true).square().mean())
    signal = float(true.square().mean())
    return MOST_DECIBEL if noise == 0 else min(MOST_DECIBEL, 10 * log10(max(signal, 1e-30) / noise))


def draw_scan(layers: tuple[LayerSensitivity, ...], file: Path, *, undone: set[str]) -> None:
    """Draw every layer's decibel as a bar, the worst on top, those left in float marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.5 + 0.16 * len(layers)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = [layer.layer for layer in reversed(layers)]
    colours = ["tab:red" if name in undone else "tab:blue" for name in names]
    axes.barh(names, [layer.decibel for layer in reversed(layers)], color=colours)
    axes.tick_params(axis="y", labelsize=6)
    axes.set_xlabel("signal to quantisation noise of the outputs [dB], this layer alone")
    axes.set_title("Sensitivity to quantisation; red: left in float")
    axes.margins(y=0.005)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
