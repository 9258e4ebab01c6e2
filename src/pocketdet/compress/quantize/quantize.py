"""Hold weights and maps in few bits, so that files shrink and integer kernels can run."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
import json
from typing import Any

from torch import Tensor

from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.in_float import check_in_float
from pocketdet.compress.quantize.allocation import allocate, codes_of, layer_options
from pocketdet.compress.quantize.bias_correction import correct_biases
from pocketdet.compress.quantize.calibration import (
    Calibration,
    Range,
    ranges_from,
    set_ranges,
)
from pocketdet.compress.quantize.named_bits import check_named_bits, named_bits
from pocketdet.compress.quantize.sensitivity import LayerSensitivity, draw_scan, scan
from pocketdet.compress.step import StepResult
from pocketdet.compress.workbench import Workbench
from pocketdet.model import Detector
from pocketdet.model.quantized import QuantizedDetector, WeightCode, quantized, weighted_layers
from pocketdet.model.quantized.saved import packed_weights
from pocketdet.model.quantized.uniform import check_bits

SCAN_IMAGES = 4
SCAN_BITS = 4
SETTLED = 0.01
"""Of the run's learning rate, for training on the grids (decision 0121)."""


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """Quantisation, after training or in further training, of any detector.

    What is held
    - `weight_bits`: 2 to 8; 8 are cut to 7 where `reduce_range`: without VNNI a CPU adds pairs of
      products in 16 bits, which full weights overflow, unseen;
    - `activation_bits`: of all maps, 2 to 8; None leaves them in float, so that only the file
      shrinks. A runtime has integer kernels for 8;
    - `codebook`: weights as indices into `groups` lists of 2^weight_bits values a layer (k-means).
      It makes the file smaller; no runtime computes faster from it;
    - `kilobytes`: of all weights together: layers get 2 to 8 bits by noise removed for each byte;
    - `layers`: other numbers of bits for the weights of single layers, or of all layers within a
      module (`stages.2: 4`); `maps`: the same for the maps that layers or modules make;
    - `float_layers`: names of layers that stay in float.

    How
    - `calibration`, `images`, `percentile`: see `ranges_from`; images of the training split;
    - `bias_correction`: make each channel's mean what it was;
    - `epochs`, `learning_rate`: of further training on the grids (0: none), by default at a
      hundredth of the run's rate, where a run ends: more undoes what it settled; `learn_ranges`:
      the grids' scales learn too, and rest in the last quarter;
    - `teacher`: a run that it also learns from meanwhile;
    - `lose`: AP points that may be lost on the validation split; the most sensitive layers go
      back to float, 1, 2, 4, … of them, until no more is (None: never undo).
    """

    weight_bits: int = 8
    activation_bits: int | None = 8
    reduce_range: bool = True
    codebook: bool = False
    groups: int = 1
    kilobytes: float | None = None
    layers: Mapping[str, int] = field(default_factory=dict[str, int])
    maps: Mapping[str, int] = field(default_factory=dict[str, int])
    float_layers: tuple[str, ...] = ()
    calibration: Calibration = "minmax"
    images: int = 64
    percentile: float = 99.99
    bias_correction: bool = True
    epochs: float = 0.0
    learning_rate: float | None = None
    learn_ranges: bool = False
    teacher: str | None = None
    lose: float | None = 0.3

    def __post_init__(self) -> None:
        check_bits("weight_bits", self.weight_bits)
        if self.activation_bits is not None:
            check_bits("activation_bits", self.activation_bits)
        check_named_bits("layers", self.layers)
        check_named_bits("maps", self.maps)
        if self.maps and self.activation_bits is None:
            raise ValueError("`maps` needs `activation_bits`: all maps stay in float without.")
        if self.layers and self.kilobytes is not None:
            raise ValueError("`kilobytes` finds the bits of layers itself; give it or `layers`.")
        if self.images < 1:
            raise ValueError(f"`images` must be at least 1; got {self.images}.")
        if self.lose is not None and self.lose < 0:
            raise ValueError(f"`lose` must be at least 0 AP points; got {self.lose:g}.")
        if not 50 < self.percentile <= 100:
            raise ValueError(f"`percentile` must be in (50, 100]; got {self.percentile:g}.")
        if self.teacher is not None and not self.epochs:
            raise ValueError("`teacher` of `Quantize` needs `epochs` above 0 to be learned from.")

    @property
    def code(self) -> WeightCode:
        """How a layer is held that is not treated apart."""
        return self.code_of(self.weight_bits)

    def code_of(self, bits: int) -> WeightCode:
        """How a layer of so many bits is held."""
        reduced = self.reduce_range and not self.codebook
        bits = min(bits, 7) if reduced else bits
        return WeightCode(bits=bits, codebook=self.codebook, groups=self.groups)

    def held(
        self,
        detector: Detector,
        *,
        code: WeightCode | None = None,
        codes: Mapping[str, WeightCode] | None = None,
        floats: Set[str] = frozenset(),
    ) -> QuantizedDetector:
        """Put a detector on grids that are not calibrated yet.

        `codes` is for single layers, beside those of `layers`; `floats` beside `float_layers`.
        """
        own = named_bits("layers", self.layers, sorted(weighted_layers(detector)))
        by_name = {**{name: self.code_of(bits) for name, bits in own.items()}, **(codes or {})}
        floats = {*self.float_layers, *floats}
        found = quantized(
            detector,
            code=code or self.code,
            codes={name: one for name, one in by_name.items() if name not in floats},
            activation_bits=self.activation_bits,
            floats=floats,
        )
        if self.maps:
            size = (detector.contract.height, detector.contract.width)
            named = named_bits("maps", self.maps, found.plan_for(size).grids)
            found = QuantizedDetector(detector, replace(found.bits, activations=named))
        return found.eval()

    def apply(self, detector: Detector, bench: Workbench) -> StepResult:
        """Quantise a detector; raises `ValueError` for a layer that it does not have."""
        check_in_float(detector, self)
        return _Quantizing(self, detector, bench).result()


class _Quantizing:
    def __init__(self, step: Quantize, detector: Detector, bench: Workbench) -> None:
        self.step, self.detector, self.bench = step, detector.eval(), bench
        self.images = bench.calibration_images(detector, step.images)
        self.layers: tuple[LayerSensitivity, ...] = ()
        self.ranges: dict[str, Range] = {}
        self.codes: Mapping[str, WeightCode] = {}

    def result(self) -> StepResult:
        step, bench = self.step, self.bench
        first = self._held()
        self.ranges = self._ranges(first)
        set_ranges(first, self.ranges)
        self.layers = self._scan(first)
        if step.kilobytes is not None:
            self.codes = self._allocated()
        held, undone = self._within_limit()
        held.settle()
        draw_scan(self.layers, bench.folder / "sensitivity.png", undone=undone)
        rows = tuple(self._row(layer, held, undone) for layer in self.layers)
        table = json.dumps(rows, indent=1)
        (bench.folder / "sensitivity.json").write_text(table, encoding="utf-8")
        return StepResult(
            detector=held,
            figures={
                "packed_kilobytes": len(packed_weights(held)) / 1000,
                "layers": len(self.layers),
                "layers_in_float": len(undone) + len(step.float_layers),
            },
            rows=rows,
            given_up=tuple(_sentences(held, undone)),
        )

    def _held(
        self, floats: Set[str] = frozenset(), code: WeightCode | None = None
    ) -> QuantizedDetector:
        held = self.step.held(self.detector, code=code, codes=self.codes, floats=floats)
        set_ranges(held, self.ranges)
        return held

    def _ranges(self, held: QuantizedDetector) -> dict[str, Range]:
        if self.step.activation_bits is None:
            return {}
        return ranges_from(
            held, self.images, how=self.step.calibration, percentile=self.step.percentile
        )

    def _scan(self, first: QuantizedDetector) -> tuple[LayerSensitivity, ...]:
        """Rank the layers; for a budget at bits where the weights' own noise shows."""
        few = self.images[:SCAN_IMAGES]
        if self.step.kilobytes is None:
            return scan(first, few, progress=self.bench.progress)
        coarse = replace(self.step.code, bits=SCAN_BITS)
        held = self._held(code=coarse)
        return scan(held, few, progress=self.bench.progress, weights_only=True)

    def _allocated(self) -> Mapping[str, WeightCode]:
        assert self.step.kilobytes is not None
        coarse = replace(self.step.code, bits=SCAN_BITS, groups=1)
        held = self._held(code=coarse)
        options = layer_options(held, self.layers, codebook=self.step.codebook)
        packed = sum(entry[CODE_PLACE].size for entry in options.values())
        others = len(packed_weights(held)) - packed
        bits = allocate(options, round(1000 * self.step.kilobytes) - others)
        return codes_of(bits, codebook=self.step.codebook)

    def _within_limit(self) -> tuple[QuantizedDetector, set[str]]:
        """Undo the worst layers, ever more of them, until the loss of AP is within the limit."""
        undone: set[str] = set()
        held = self._trained(undone)
        if self.step.lose is None:
            return held, undone
        true = self.bench.evaluate(self.detector)["ap"]
        number = 1
        while 100 * (true - self.bench.evaluate(held)["ap"]) > self.step.lose:
            if len(undone) == len(self.layers):
                break
            undone = {layer.layer for layer in self.layers[:number]}
            held = self._trained(undone)
            number *= 2
        return held, undone

    def _trained(self, undone: set[str]) -> QuantizedDetector:
        held = self._held(undone)
        if self.step.bias_correction:
            correct_biases(held, self.images)
        return self._fine_tuned(held, f"training-{len(undone)}") if self.step.epochs else held

    def _fine_tuned(self, held: QuantizedDetector, name: str) -> QuantizedDetector:
        """Train on the grids; learned ranges rest in the last quarter."""
        step = self.step
        scales = [p for n, p in held.named_parameters() if "_grids." in n and n.endswith("scale")]
        for scale in scales:
            scale.requires_grad_(step.learn_ranges)
        if not step.learn_ranges:
            return self._train(held, step.epochs, name)
        held = self._train(held, 0.75 * step.epochs, f"{name}-ranges")
        for name_of, parameter in held.named_parameters():
            if "_grids." in name_of and name_of.endswith("scale"):
                parameter.requires_grad_(False)
        return self._train(held, 0.25 * step.epochs, name)

    def _train(self, held: QuantizedDetector, epochs: float, name: str) -> QuantizedDetector:
        rate = self.step.learning_rate or SETTLED * self.bench.settings.learning_rate
        length = FineTuning(epochs=epochs, learning_rate=rate, teacher=self.step.teacher)
        trained = self.bench.fine_tune(held, length, name=name)
        assert isinstance(trained, QuantizedDetector)
        return trained

    def _row(
        self, layer: LayerSensitivity, held: QuantizedDetector, undone: set[str]
    ) -> dict[str, Any]:
        in_float = layer.layer in undone
        bits = 32 if in_float else held.bits.weights[layer.layer].bits
        return {**layer.to_data(), "bits": bits, "in_float": in_float}


CODE_PLACE = SCAN_BITS - 2
"""Of the scan's bits among `allocation.CHOICES`."""


def _sentences(held: QuantizedDetector, undone: set[str]) -> list[str]:
    """Say what stays in float."""
    plan = held.plan_for((held.contract.height, held.contract.width))
    kinds = ("batch_norm", "group_norm", "layer_norm", "softmax", "conv_transpose2d", "deconv",
             "interpolate", "matmul", "bmm")  # fmt: skip
    between = sorted({p.kind for p in plan.placements if p.kind in kinds})
    said: list[str] = []
    if undone:
        said.append(f"{len(undone)} sensitive layers stay in float: {', '.join(sorted(undone))}.")
    if between:
        said.append(f"These compute in float between the grids: {', '.join(between)}.")
    if any(code.codebook for code in held.bits.weights.values()):
        said.append("The codebook makes the file smaller; no runtime computes faster from it.")
    return said


def calibrated(
    detector: Detector, images: Tensor, *, step: Quantize | None = None
) -> QuantizedDetector:
    """Quantise a detector after training with (n, 3, H, W) normalised pictures, and no more."""
    step = step or Quantize()
    held = step.held(detector)
    if step.activation_bits is not None:
        ranges = ranges_from(held, images, how=step.calibration, percentile=step.percentile)
        set_ranges(held, ranges)
    if step.bias_correction:
        correct_biases(held, images)
    return held
