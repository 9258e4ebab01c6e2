"""How a box is stated relative to a point, as four distributions, and read back."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class DistanceCoder:
    """Distances to the four sides as distributions (Li et al. 2020, arXiv 2006.04388, section 3.2).

    A place is a cell of a map, (cx, cy, width, height) in input pixels. The distances from its
    centre to the left, top, right and bottom of a box are counted in widths and heights of the
    cell. Each is the mean of a distribution over `num_bins` values, one cell apart.

    The values begin at -0.5 rather than at the paper's 0, so that a box that holds no centre at all
    can still be stated from the centre that is nearest to it.
    """

    num_bins: int = 8

    def __post_init__(self) -> None:
        if self.num_bins < 2:
            raise ValueError(f"`num_bins` must be at least 2; got {self.num_bins}.")

    @property
    def lowest(self) -> float:
        """The least distance that can be stated, in cells."""
        return -0.5

    @property
    def highest(self) -> float:
        """The greatest distance that can be stated, in cells."""
        return self.num_bins - 1.5

    def encode(self, boxes_xyxy: Tensor, cells_cxcywh: Tensor) -> Tensor:
        """Give the distances (..., 4) in cells from cells (..., 4) to boxes (..., 4), any sign."""
        centre, size = cells_cxcywh[..., :2], cells_cxcywh[..., 2:]
        low = (centre - boxes_xyxy[..., :2]) / size
        high = (boxes_xyxy[..., 2:] - centre) / size
        return torch.cat([low, high], dim=-1)

    def decode_distances(self, distances: Tensor, cells_cxcywh: Tensor) -> Tensor:
        """Give the xyxy boxes (..., 4) in input pixels that lie so many cells around cells."""
        centre, size = cells_cxcywh[..., :2], cells_cxcywh[..., 2:]
        low = centre - distances[..., :2] * size
        high = centre + distances[..., 2:] * size
        return torch.cat([low, high], dim=-1)

    def decode(self, side_logits: Tensor, cells_cxcywh: Tensor) -> Tensor:
        """Read logits (..., 4, num_bins) relative to cells (..., 4) as xyxy boxes in pixels."""
        return self.decode_distances(self.mean(side_logits), cells_cxcywh)

    def mean(self, side_logits: Tensor) -> Tensor:
        """Give the mean (...) in cells of distributions whose logits are (..., num_bins)."""
        values = torch.arange(self.num_bins, device=side_logits.device) + self.lowest
        return (side_logits.softmax(dim=-1) * values).sum(dim=-1)

    def shares(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Give the bin below each distance (...), and the share of the bin above it.

        What cannot be stated counts as the nearest distance that can.
        """
        steps = (distances.clamp(self.lowest, self.highest) - self.lowest).float()
        below = steps.floor().clamp(max=self.num_bins - 2)
        return below.long(), steps - below

    def side_logits(self, distances: Tensor) -> Tensor:
        """Give logits (..., num_bins) whose mean is exactly these distances (...)."""
        below, share = self.shares(distances)
        weights = torch.zeros(*distances.shape, self.num_bins, device=distances.device)
        weights.scatter_(-1, below[..., None], 1 - share[..., None])
        weights.scatter_(-1, below[..., None] + 1, share[..., None])
        return weights.clamp(min=1e-12).log()
