"""An image that still lies on disk."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pocketdet.conventions.image_decoding import read_rgb


@dataclass(frozen=True)
class ImageFile:
    """A picture by its path. Its size is the decoded size, EXIF rotation left unapplied.

    Annotations are made for stored pixels by some tools and for rotated ones by others, so
    rotation is never guessed: `pocketdet data check` lists images that carry a rotation.
    """

    path: Path
    height: int
    width: int

    def read(self) -> Tensor:
        """Decode to a (3, height, width) uint8 RGB tensor, a view of interleaved memory."""
        return torch.from_numpy(read_rgb(self.path)).permute(2, 0, 1)
