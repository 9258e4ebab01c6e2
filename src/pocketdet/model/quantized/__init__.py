"""Detectors whose weights and maps are held in few bits, and run as what they are exported to."""

from pocketdet.model.quantized.codebook import Codebook
from pocketdet.model.quantized.detector import (
    BitPlan,
    QuantizedDetector,
    WeightCode,
    quantized,
    weighted_layers,
)
from pocketdet.model.quantized.uniform import ActivationGrid, WeightGrid

__all__ = [
    "ActivationGrid",
    "BitPlan",
    "Codebook",
    "QuantizedDetector",
    "WeightCode",
    "WeightGrid",
    "quantized",
    "weighted_layers",
]
