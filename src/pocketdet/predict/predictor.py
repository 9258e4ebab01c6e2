"""What looks at pictures."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketdet.conventions.class_list import ClassList
from pocketdet.runtime.detections import DetectionArrays

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


class Predictor(Protocol):
    """A detector of any making."""

    @property
    def classes(self) -> ClassList: ...

    def predict(self, pictures: Sequence[Pixels], *, score: Any = None) -> list[DetectionArrays]:
        """Detect in pictures of any size, in each one's own pixels, at least at this score."""
        ...
