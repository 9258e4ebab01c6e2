"""How a box is stated relative to a prior, and read back. Both directions stand here only."""

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from pocketdet.conventions import cxcywh_to_xyxy, xyxy_to_cxcywh

LARGEST_GROWTH = log(1000 / 16)
"""Decoded sizes stop at 62.5 times the prior's, so that an untrained head cannot overflow."""


@dataclass(frozen=True, kw_only=True)
class BoxCoder:
    """SSD's centre-size code with variances (Liu et al. 2016, arXiv 1512.02325, equation 2).

    delta = ((cx - prior cx) / prior w, (cy - prior cy) / prior h, ln(w / prior w),
    ln(h / prior h)), each divided by its variance.
    """

    variances: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)

    def encode(self, boxes_xyxy: Tensor, priors_cxcywh: Tensor) -> Tensor:
        """State boxes (..., 4) relative to priors (..., 4), in the same unit.

        A box without area has no logarithm and raises `ValueError`.
        """
        boxes = xyxy_to_cxcywh(boxes_xyxy)
        if not bool((boxes[..., 2:] > 0).all()):
            raise ValueError(
                "`boxes_xyxy` must have positive width and height to be encoded; the smallest "
                f"size given is {float(boxes[..., 2:].min()):g}. Leave such boxes out first."
            )
        offset = (boxes[..., :2] - priors_cxcywh[..., :2]) / priors_cxcywh[..., 2:]
        growth = (boxes[..., 2:] / priors_cxcywh[..., 2:]).log()
        return torch.cat([offset, growth], dim=-1) / boxes.new_tensor(self.variances)

    def decode(self, deltas: Tensor, priors_cxcywh: Tensor) -> Tensor:
        """Read deltas (..., 4) relative to priors (..., 4) as xyxy boxes in the priors' unit."""
        deltas = deltas * deltas.new_tensor(self.variances)
        centre = priors_cxcywh[..., :2] + deltas[..., :2] * priors_cxcywh[..., 2:]
        size = priors_cxcywh[..., 2:] * deltas[..., 2:].clamp(max=LARGEST_GROWTH).exp()
        return cxcywh_to_xyxy(torch.cat([centre, size], dim=-1))
