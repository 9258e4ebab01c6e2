"""A detector: the network, its class list, its input contract and how to read its outputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor, nn

from pocketdet.conventions import (
    ClassList,
    DecodeSettings,
    Detections,
    ImageFile,
    InputContract,
    clip_boxes,
)
from pocketdet.conventions.image_decoding import read_rgb
from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.config import DetectorConfig
from pocketdet.model.decode import decode
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.model.head import BoxCode, RawOutputs
from pocketdet.model.placement import place_key
from pocketdet.model.surgery import Surgery

Picture = Tensor | np.ndarray[Any, Any] | Path | str | ImageFile
"""A (3, H, W) uint8 RGB tensor, a (H, W, 3) uint8 RGB array, or an image file."""


class Detector(nn.Module):
    """The parts of a config, joined. Made by `build`, or read by `Detector.load`."""

    def __init__(
        self,
        *,
        config: DetectorConfig,
        classes: ClassList,
        parts: dict[str, nn.Module],
        level_names: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.config = config
        self.classes = classes
        self.level_names = level_names
        self.surgeries: tuple[Surgery, ...] = ()
        for name, part in parts.items():
            self.add_module(name, part)

    stem: nn.Module
    stages: nn.ModuleList
    attention: nn.ModuleDict
    extras: nn.ModuleList
    neck: nn.Module
    head: nn.Module

    @classmethod
    def load(cls, path: Path | str, *, device: torch.device | str = "cpu") -> "Detector":
        """Read a checkpoint, or a run's folder (its best one), ready for use; runs no pickle."""
        from pocketdet.model.saved_detector import load_detector

        return load_detector(Path(path)).to(device).eval()

    def undergo(self, surgery: Surgery) -> None:
        """Change the structure in place, as a checkpoint of this detector will repeat it."""
        surgery.perform(self)
        self.surgeries = (*self.surgeries, surgery)

    @property
    def contract(self) -> InputContract:
        """The input that this detector was made for."""
        return self.config.input

    @property
    def box_coder(self) -> BoxCode:
        return self.config.head.box_coder

    @property
    def places_cxcywh(self) -> Tensor:
        """What each row of raw outputs is relative to: (p, 4) priors or cells, in input pixels.

        They are those of the contract's input size.
        """
        return self.head.get_buffer("places.cxcywh")

    @property
    def priors_cxcywh(self) -> Tensor:
        """The (p, 4) priors of the contract's input size; a head without priors is refused."""
        if not isinstance(self.box_coder, BoxCoder):
            raise ValueError(
                f"`priors_cxcywh` needs a head with priors; {type(self.config.head).__name__} has "
                "none. `places_cxcywh` are the cells that its rows are relative to."
            )
        return self.places_cxcywh

    @property
    def device(self) -> torch.device:
        """Where the detector is."""
        return self.places_cxcywh.device

    def forward(self, images: Tensor) -> RawOutputs:
        """Predict from normalised (b, 3, H, W) pictures, as `preprocess` gives them.

        H and W are the contract's or any other size; places follow the maps' real sizes.
        """
        levels = self.neck(self.levels(images))
        levels = [
            self._attend(name, level) for name, level in zip(self.level_names, levels, strict=True)
        ]
        return self.head(levels, (int(images.shape[-2]), int(images.shape[-1])))

    def levels(self, images: Tensor) -> list[Tensor]:
        """Give the maps before the neck, from fine to coarse."""
        levels: list[Tensor] = []
        features = self._attend("stem", self.stem(images))
        for index, stage in enumerate(self.stages):
            features = self._attend(f"stage{index + 1}", stage(features))
            if index in self.config.levels_from:
                levels.append(features)
        for index, extra in enumerate(self.extras):
            features = self._attend(f"extra{index + 1}", extra(features))
            levels.append(features)
        return levels

    def _attend(self, place: str, features: Tensor) -> Tensor:
        key = place_key(place)
        return self.attention[key](features) if key in self.attention else features

    def preprocess(self, images: Tensor) -> Tensor:
        """Normalise (b, 3, H, W) uint8 RGB pictures that have the input's size already."""
        return self.contract.normalize(images)

    def decode(
        self,
        predictions: RawOutputs,
        settings: DecodeSettings | None = None,
        *,
        input_size: tuple[int, int] | None = None,
    ) -> list[Detections]:
        """Read raw outputs as detections, one entry an image, in input pixels, after NMS."""
        return decode(
            predictions,
            box_coder=self.box_coder,
            input_size=input_size or (self.contract.height, self.contract.width),
            settings=settings or DecodeSettings(),
        )

    @overload
    def predict(self, images: Picture, *, score: float = ...) -> Detections: ...
    @overload
    def predict(self, images: Sequence[Picture], *, score: float = ...) -> list[Detections]: ...

    @torch.inference_mode()
    def predict(
        self, images: Picture | Sequence[Picture], *, score: float = 0.3
    ) -> Detections | list[Detections]:
        """Detect in one picture or in a sequence of them, in each picture's own pixels.

        Only what scores at least `score` is given. The whole sequence is one batch.
        """
        if isinstance(images, str) or not isinstance(images, Sequence):
            return self._predict([as_rgb_tensor(images)], score)[0]
        return self._predict([as_rgb_tensor(image) for image in images], score)

    def _predict(self, pictures: list[Tensor], score: float) -> list[Detections]:
        if not pictures:
            return []
        device = self.device
        fitted = [self.contract.fit(picture) for picture in pictures]
        batch = torch.stack([image for image, _ in fitted]).to(device)
        with evaluation_mode(self):
            predictions = self(self.preprocess(batch))
        found = self.decode(predictions, DecodeSettings(score_threshold=score))
        results: list[Detections] = []
        for picture, (_, placement), detections in zip(pictures, fitted, found, strict=True):
            boxes = placement.to_image(detections.boxes_xyxy.cpu())
            boxes = clip_boxes(boxes, height=picture.shape[1], width=picture.shape[2])
            results.append(
                Detections(
                    boxes_xyxy=boxes,
                    scores=detections.scores.cpu(),
                    labels=detections.labels.cpu(),
                )
            )
        return results


def as_rgb_tensor(image: Picture) -> Tensor:
    """Bring any accepted picture into (3, H, W) uint8 RGB; raises `ValueError` on others."""
    if isinstance(image, ImageFile):
        return image.read()
    if isinstance(image, str | Path):
        return torch.from_numpy(read_rgb(Path(image))).permute(2, 0, 1)
    tensor = torch.from_numpy(image).permute(2, 0, 1) if isinstance(image, np.ndarray) else image
    if tensor.ndim != 3 or tensor.shape[0] != 3 or tensor.dtype != torch.uint8:
        raise ValueError(
            "`image` must be a (3, H, W) uint8 RGB tensor, a (H, W, 3) uint8 RGB array or a "
            f"path; got {type(image).__name__} of shape {tuple(image.shape)} and {image.dtype}."
        )
    return tensor
