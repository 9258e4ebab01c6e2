"""The data's way through a detector, as the user's own functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


class Sample(Protocol):
    """An image and its boxes: anything with these three attributes."""

    @property
    def image(self) -> Tensor: ...  # (3, H, W) uint8
    @property
    def boxes_xyxy(self) -> Tensor: ...  # (n, 4) float pixels
    @property
    def labels(self) -> Tensor: ...  # (n,) int


class Detections(Protocol):
    """What was found in one image: anything with these three attributes."""

    @property
    def boxes_xyxy(self) -> Tensor: ...  # (n, 4) float pixels
    @property
    def scores(self) -> Tensor: ...  # (n,) float
    @property
    def labels(self) -> Tensor: ...  # (n,) int


@dataclass(frozen=True, kw_only=True)
class DetectionPipeline:
    """The stages that boxes pass on their way to a loss and from outputs to AP.

    All callables are the user's own; a check that needs one that is None is "not run".

    - `samples`: image (3, H, W) uint8; boxes_xyxy (n, 4) float pixels; labels (n,) int;
    - `num_classes`: without background;
    - `transform`: training augmentation, one sample to one sample;
    - `preprocess`: image to network input;
    - `encode`: one image's boxes and labels to training targets;
    - `perfect`: targets to the raw outputs (batch of one) that state exactly these targets;
    - `decode`: raw outputs to one entry of detections an image, after NMS;
    - `evaluate`: AP in [0, 1].
    """

    samples: Sequence[Sample]
    num_classes: int
    transform: Callable[[Any], Any] | None = None
    preprocess: Callable[[Tensor], Tensor] | None = None
    encode: Callable[[Tensor, Tensor], Any] | None = None
    perfect: Callable[[Any], Any] | None = None
    decode: Callable[[Any], list[Any]] | None = None
    evaluate: Callable[[list[Any], list[Any]], float] | None = None
