"""How a picture becomes what a network sees, and how boxes find their way back.

This is the only place that resizes, orders channels, subtracts a mean or scales. It travels
in every checkpoint and export, so training, evaluation and deployment cannot disagree. Exported
files are run where there is no torch, so it is only imported where a tensor is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Interpolation = Literal["nearest", "linear", "area", "cubic", "lanczos"]

INTERPOLATIONS: dict[str, int] = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the network's input: `input = image * scale + offset`, in pixels."""

    scale_x: float
    scale_y: float
    offset_x: float = 0.0
    offset_y: float = 0.0

    def to_input(self, boxes_xyxy: Tensor) -> Tensor:
        """Move (..., 4) boxes from the picture's pixels to the input's pixels."""
        return boxes_xyxy * self._scale(boxes_xyxy) + self._offset(boxes_xyxy)

    def to_image(self, boxes_xyxy: Tensor) -> Tensor:
        """Move (..., 4) boxes from the input's pixels back to the picture's pixels."""
        return (boxes_xyxy - self._offset(boxes_xyxy)) / self._scale(boxes_xyxy)

    def array_to_image(self, boxes_xyxy: NDArray[Any]) -> NDArray[Any]:
        """Do what `to_image` does, with an array."""
        offset = np.array([self.offset_x, self.offset_y] * 2, dtype=boxes_xyxy.dtype)
        return (boxes_xyxy - offset) / np.array([self.scale_x, self.scale_y] * 2, boxes_xyxy.dtype)

    def _scale(self, like: Tensor) -> Tensor:
        return like.new_tensor([self.scale_x, self.scale_y, self.scale_x, self.scale_y])

    def _offset(self, like: Tensor) -> Tensor:
        return like.new_tensor([self.offset_x, self.offset_y, self.offset_x, self.offset_y])


@dataclass(frozen=True, kw_only=True)
class InputContract:
    """The input that a detector was made for.

    - `height`, `width`: pixels of the network's input;
    - `channel_order`: the order in which the network takes colours (pictures are always RGB);
    - `mean`: subtracted from each channel, in `channel_order`, on the 0-255 scale;
    - `scale`: multiplied after that, one number a channel in `channel_order`;
    - `resize`: "warp" stretches both sides, "letterbox" keeps the aspect and pads with the mean;
    - `interpolation`: how it is resized when not in training.

    The defaults are Pelee's (Wang et al. 2018, arXiv 1804.06882, Caffe release): BGR, means
    103.94, 116.78, 123.68 and 0.017, warped.
    """

    height: int = 304
    width: int = 304
    channel_order: Literal["BGR", "RGB"] = "BGR"
    mean: tuple[float, float, float] = (103.94, 116.78, 123.68)
    scale: tuple[float, float, float] = (0.017, 0.017, 0.017)
    resize: Literal["warp", "letterbox"] = "warp"
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1 pixel; got {getattr(self, name)}.")
        for name, choices in (
            ("channel_order", ("BGR", "RGB")),
            ("resize", ("warp", "letterbox")),
            ("interpolation", tuple(INTERPOLATIONS)),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(choices)}; got {getattr(self, name)!r}."
                )

    def placement(self, height: int, width: int) -> Placement:
        """Say where a picture of this size will lie in the input."""
        scale_y, scale_x = self.height / height, self.width / width
        if self.resize == "warp":
            return Placement(scale_x, scale_y)
        scale = min(scale_x, scale_y)
        inner_height = max(1, round(height * scale))
        inner_width = max(1, round(width * scale))
        top, left = (self.height - inner_height) // 2, (self.width - inner_width) // 2
        return Placement(inner_width / width, inner_height / height, left, top)

    def fit(
        self, image: Tensor, *, interpolation: Interpolation | None = None
    ) -> tuple[Tensor, Placement]:
        """Resize a (3, H, W) uint8 RGB picture to (3, height, width), still uint8 RGB.

        `interpolation` replaces the contract's own, for augmentation only.
        """
        import torch

        pixels, placement = self.fit_pixels(
            image.permute(1, 2, 0).numpy(), interpolation=interpolation
        )
        return torch.from_numpy(pixels).permute(2, 0, 1), placement

    def fit_pixels(
        self, pixels: NDArray[Any], *, interpolation: Interpolation | None = None
    ) -> tuple[NDArray[Any], Placement]:
        """Resize (H, W, 3) uint8 RGB pixels to (height, width, 3), as `fit` does a tensor."""
        height, width = pixels.shape[:2]
        placement = self.placement(height, width)
        inner_height = round(height * placement.scale_y)
        inner_width = round(width * placement.scale_x)
        pixels = self.resized(pixels, inner_height, inner_width, interpolation=interpolation)
        if (inner_height, inner_width) != (self.height, self.width):
            canvas = np.empty((self.height, self.width, 3), np.uint8)
            canvas[:] = self.padding_rgb
            top, left = int(placement.offset_y), int(placement.offset_x)
            canvas[top : top + inner_height, left : left + inner_width] = pixels
            pixels = canvas
        return pixels, placement

    def resized(
        self,
        pixels: NDArray[np.uint8],
        height: int,
        width: int,
        *,
        interpolation: Interpolation | None = None,
    ) -> NDArray[Any]:
        """Resize (H, W, 3) uint8 pixels to (height, width, 3), as `fit` does it."""
        pixels = np.ascontiguousarray(pixels)
        if (height, width) == pixels.shape[:2]:
            return pixels
        flag = INTERPOLATIONS[interpolation or self.interpolation]
        return cv2.resize(pixels, (width, height), interpolation=flag)

    @property
    def padding_rgb(self) -> tuple[int, int, int]:
        """The colour that becomes (nearly) zero in the network: its mean, as RGB."""
        red, green, blue = self.mean if self.channel_order == "RGB" else self.mean[::-1]
        return round(red), round(green), round(blue)

    def normalize(self, images: Tensor) -> Tensor:
        """Turn (..., 3, H, W) RGB pictures on the 0-255 scale into the network's float input."""
        if self.channel_order == "BGR":
            images = images.flip(-3)
        images = images.float()
        mean = images.new_tensor(self.mean).reshape(3, 1, 1)
        return (images - mean) * images.new_tensor(self.scale).reshape(3, 1, 1)

    def normalize_array(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Do what `normalize` does, with (..., 3, H, W) arrays."""
        if self.channel_order == "BGR":
            images = images[..., ::-1, :, :]
        mean = np.array(self.mean, np.float32).reshape(3, 1, 1)
        scale = np.array(self.scale, np.float32).reshape(3, 1, 1)
        return (images.astype(np.float32) - mean) * scale
