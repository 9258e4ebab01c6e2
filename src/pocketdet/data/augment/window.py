"""A window on the image plane, and how what is seen through it lies in the network's input.

Expanding and cropping only choose a window; the picture is cut and resized once, at the end.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pocketdet.conventions import InputContract, Placement
from pocketdet.conventions.input_contract import Interpolation


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels of the picture's plane; it may reach past the picture."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


@dataclass(frozen=True, kw_only=True)
class View:
    """Where the visible part of a picture lies in the network's input.

    - `visible`: the part of the picture that is seen, in its pixels;
    - `place`: the rectangle of the input that this part fills; the rest is padding;
    - `placement`: the same as a transformation of boxes, exact although `place` is rounded.
    """

    visible: Window
    place: Window
    placement: Placement
    contract: InputContract

    def resize(self, pixels: np.ndarray, interpolation: Interpolation | None) -> np.ndarray:
        """Cut the visible part out of (H, W, 3) pixels and resize it to its share."""
        seen = self.visible
        part = pixels[seen.top : seen.bottom, seen.left : seen.right]
        return self.contract.resized(
            part, self.place.height, self.place.width, interpolation=interpolation
        )

    def pad(self, part: np.ndarray) -> np.ndarray:
        """Put the resized part into its place among the contract's padding colour."""
        place, contract = self.place, self.contract
        if (place.height, place.width) == (contract.height, contract.width):
            return part
        return cv2.copyMakeBorder(
            part,
            place.top,
            contract.height - place.bottom,
            place.left,
            contract.width - place.right,
            cv2.BORDER_CONSTANT,
            value=contract.padding_rgb,
        )


def view(window: Window, size: tuple[int, int], contract: InputContract) -> View:
    """Lay a window on a picture of `size` (height, width) into the contract's input.

    The window must share at least one pixel with the picture.
    """
    height, width = size
    visible = Window(
        max(window.left, 0),
        max(window.top, 0),
        min(window.right, width),
        min(window.bottom, height),
    )
    whole = contract.placement(window.height, window.width)
    left, right = _edges(
        (visible.left - window.left) * whole.scale_x + whole.offset_x,
        visible.width * whole.scale_x,
        contract.width,
    )
    top, bottom = _edges(
        (visible.top - window.top) * whole.scale_y + whole.offset_y,
        visible.height * whole.scale_y,
        contract.height,
    )
    scale_x = (right - left) / visible.width
    scale_y = (bottom - top) / visible.height
    return View(
        visible=visible,
        place=Window(left, top, right, bottom),
        placement=Placement(
            scale_x, scale_y, left - visible.left * scale_x, top - visible.top * scale_y
        ),
        contract=contract,
    )


def _edges(start: float, length: float, limit: int) -> tuple[int, int]:
    low = min(round(start), limit - 1)
    return low, min(max(round(start + length), low + 1), limit)
