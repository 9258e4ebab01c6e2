"""A detector as something that looks at files."""

from collections.abc import Sequence
from typing import Any

import torch

from pocketdet.conventions import ClassList
from pocketdet.model.detector import Detector
from pocketdet.predict.predictor import Pixels
from pocketdet.runtime.detections import DetectionArrays


class EagerPredictor:
    """Takes and gives arrays, and computes with torch."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @property
    def classes(self) -> ClassList:
        return self._detector.classes

    def predict(self, pictures: Sequence[Pixels], *, score: Any = None) -> list[DetectionArrays]:
        images = [torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures]
        found = self._detector.predict(images, score=0.3 if score is None else score)
        return [
            DetectionArrays(
                boxes_xyxy=entry.boxes_xyxy.numpy(),
                scores=entry.scores.numpy(),
                labels=entry.labels.numpy(),
            )
            for entry in found
        ]
