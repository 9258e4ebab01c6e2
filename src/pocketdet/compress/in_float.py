"""What a step says to a detector that is quantised already."""

from pocketdet.model import Detector
from pocketdet.model.quantized import QuantizedDetector


def check_in_float(detector: Detector, step: object) -> None:
    """Raise `ValueError` for a quantised detector, whose weights are on grids."""
    if isinstance(detector, QuantizedDetector):
        name = type(step).__name__.lower()
        others = "" if name == "quantize" else ", and quantise what it gives"
        raise ValueError(
            f"`{name}` needs a detector in float, and this one is quantised already; give it the "
            f"run that was quantised{others}."
        )
