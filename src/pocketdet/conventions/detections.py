"""What a detector says about one image."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """The boxes found in one image, after NMS, best score first.

    - `boxes_xyxy`: (n, 4) float, in pixels;
    - `scores`: (n,) float in [0, 1];
    - `labels`: (n,) int64, places in the class list.
    """

    boxes_xyxy: Tensor
    scores: Tensor
    labels: Tensor

    @classmethod
    def empty(cls) -> "Detections":
        return cls(
            boxes_xyxy=torch.zeros(0, 4),
            scores=torch.zeros(0),
            labels=torch.zeros(0, dtype=torch.int64),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> "Detections":
        """Keep only what scores at least `score`."""
        keep = self.scores >= score
        return Detections(
            boxes_xyxy=self.boxes_xyxy[keep], scores=self.scores[keep], labels=self.labels[keep]
        )

    def to(self, device: torch.device | str) -> "Detections":
        return Detections(
            boxes_xyxy=self.boxes_xyxy.to(device),
            scores=self.scores.to(device),
            labels=self.labels.to(device),
        )
