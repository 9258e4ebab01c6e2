"""Several pictures of the contract's size with their boxes, ready for a device."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pocketdet.conventions import Placement, Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """A batch of b pictures; boxes lie one after another in few tensors, which are cheap to move.

    - `images`: (b, 3, H, W) uint8 RGB, `channels_last` in memory;
    - `packed_boxes_xyxy`: (n, 4) float32, INPUT pixels, of all pictures; `packed_labels`: (n,)
      int64; `counts`: how many belong to each picture. Boxes that are not learnt from
      (difficult, crowd) are not among them;
    - `image_ids`; `indices`: places in the list of samples;
    - `placements`: where each picture lies in the input. Empty for augmented pictures, which
      have no way back.
    """

    images: Tensor
    packed_boxes_xyxy: Tensor
    packed_labels: Tensor
    counts: tuple[int, ...]
    image_ids: list[str]
    indices: list[int]
    placements: list[Placement]

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def boxes_xyxy(self) -> list[Tensor]:
        """The boxes of each picture, (count, 4) float32, views."""
        return list(self.packed_boxes_xyxy.split(self.counts))

    @property
    def labels(self) -> list[Tensor]:
        """The labels of each picture, (count,) int64, views."""
        return list(self.packed_labels.split(self.counts))

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """Move the tensors; with pinned memory and `non_blocking` without waiting."""
        return replace(
            self,
            images=self.images.to(device, non_blocking=non_blocking),
            packed_boxes_xyxy=self.packed_boxes_xyxy.to(device, non_blocking=non_blocking),
            packed_labels=self.packed_labels.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> "Batch":
        """Copy the tensors to page-locked memory; torch's `DataLoader` calls this by name."""
        return replace(
            self,
            images=self.images.pin_memory(),
            packed_boxes_xyxy=self.packed_boxes_xyxy.pin_memory(),
            packed_labels=self.packed_labels.pin_memory(),
        )


def collate(
    samples: Sequence[Sample], indices: Sequence[int], placements: Sequence[Placement] = ()
) -> Batch:
    """Put samples of one size, with boxes in input pixels, into a batch."""
    learnt = [_learnt(sample) for sample in samples]
    # Stacked as (b, H, W, 3), the batch is `channels_last` without another copy. NumPy copies
    # in this thread; torch would wake its others, and wait for them where cores are taken.
    images = np.stack([sample.image.permute(1, 2, 0).numpy() for sample in samples])
    return Batch(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),
        packed_boxes_xyxy=torch.cat([sample.boxes_xyxy for sample in learnt]),
        packed_labels=torch.cat([sample.labels for sample in learnt]),
        counts=tuple(len(sample.labels) for sample in learnt),
        image_ids=[sample.image_id for sample in samples],
        indices=list(indices),
        placements=list(placements),
    )


def _learnt(sample: Sample) -> Sample:
    left_out = sample.difficult | sample.crowd
    return sample.keep(~left_out) if bool(left_out.any()) else sample
