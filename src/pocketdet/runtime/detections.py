"""What an exported file says about one picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionArrays:
    """The boxes found in one picture, after NMS, best score first: `Detections` without tensors.

    - `boxes_xyxy`: (n, 4) float32, in pixels;
    - `scores`: (n,) float32 in [0, 1];
    - `labels`: (n,) int64, places in the class list.
    """

    boxes_xyxy: NDArray[Any]
    scores: NDArray[Any]
    labels: NDArray[Any]

    @classmethod
    def empty(cls) -> "DetectionArrays":
        return cls(
            boxes_xyxy=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            labels=np.zeros(0, np.int64),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> "DetectionArrays":
        """Keep only what scores at least `score`."""
        keep = self.scores >= score
        return DetectionArrays(
            boxes_xyxy=self.boxes_xyxy[keep], scores=self.scores[keep], labels=self.labels[keep]
        )
