"""Ways to bring a coarse map to the exact size of a finer one."""

from pocketdet.model.upsample.carafe import CARAFE
from pocketdet.model.upsample.pixel_shuffle import PixelShuffle
from pocketdet.model.upsample.protocol import Upsample
from pocketdet.model.upsample.resize import Bicubic, Bilinear, Nearest
from pocketdet.model.upsample.transposed import TransposedConv

UPSAMPLES = (Nearest, Bilinear, Bicubic, TransposedConv, PixelShuffle, CARAFE)

__all__ = [
    "CARAFE",
    "UPSAMPLES",
    "Bicubic",
    "Bilinear",
    "Nearest",
    "PixelShuffle",
    "TransposedConv",
    "Upsample",
]
