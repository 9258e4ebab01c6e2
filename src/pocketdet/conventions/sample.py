"""One picture with its labelled boxes."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pocketdet.conventions.image_file import ImageFile


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One image and what is labelled in it, at any stage of the data's way.

    - `picture`: an `ImageFile` until it is needed, then a (3, H, W) uint8 RGB tensor;
    - `boxes_xyxy`: (n, 4) float32, pixels of this picture;
    - `labels`: (n,) int64, places in the class list;
    - `difficult`: (n,) bool, VOC's flag: neither trained on nor scored;
    - `crowd`: (n,) bool, COCO's `iscrowd`: a region of many, not trained on, scored as ignored;
    - `image_id`: a name that is unique within its split.
    """

    picture: Tensor | ImageFile
    boxes_xyxy: Tensor
    labels: Tensor
    difficult: Tensor
    crowd: Tensor
    image_id: str

    @classmethod
    def of(
        cls,
        picture: Tensor | ImageFile,
        boxes_xyxy: Any,
        labels: Any,
        *,
        image_id: str = "",
        difficult: Any = None,
        crowd: Any = None,
    ) -> "Sample":
        """Make a sample from anything that turns into tensors; flags default to False."""
        labels = torch.as_tensor(labels, dtype=torch.int64).reshape(-1)
        none = torch.zeros(len(labels), dtype=torch.bool)
        return cls(
            picture=picture,
            boxes_xyxy=torch.as_tensor(boxes_xyxy, dtype=torch.float32).reshape(-1, 4),
            labels=labels,
            difficult=none if difficult is None else torch.as_tensor(difficult, dtype=torch.bool),
            crowd=none if crowd is None else torch.as_tensor(crowd, dtype=torch.bool),
            image_id=image_id,
        )

    @property
    def image(self) -> Tensor:
        """The (3, H, W) uint8 RGB picture, decoded now if it still lies on disk."""
        return self.picture.read() if isinstance(self.picture, ImageFile) else self.picture

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, without decoding."""
        if isinstance(self.picture, ImageFile):
            return self.picture.height, self.picture.width
        return int(self.picture.shape[1]), int(self.picture.shape[2])

    def keep(self, chosen: Tensor) -> "Sample":
        """Keep only the boxes that a (n,) bool mask or (m,) index tensor chooses."""
        return replace(
            self,
            boxes_xyxy=self.boxes_xyxy[chosen],
            labels=self.labels[chosen],
            difficult=self.difficult[chosen],
            crowd=self.crowd[chosen],
        )
