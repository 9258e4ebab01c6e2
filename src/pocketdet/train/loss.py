"""The loss of SSD: softmax cross-entropy with hard negatives, and smooth L1 on the boxes.

Liu et al. 2016 (arXiv 1512.02325), equations 1 to 3, with Caffe's mining: per image, of the
priors that answer for no box, those whose background is predicted worst, three to each that
answers for one. Two things are decided differently here:

- an image without any box gives as many negatives as an image with one matched prior (Caffe:
  none), because a picture in which everything is background has something to teach;
- the number that everything is divided by is that of the whole step, over all
  processes and all accumulated batches, so that splitting a batch changes nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pocketdet.train.targets import Targets

NEGATIVES_PER_MATCH = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class LossTerms:
    """The terms of each image, summed over its priors and not yet divided.

    - `classification`: (b,) softmax cross-entropy of matched priors and hard negatives;
    - `localization`: (b,) smooth L1 over the four deltas of matched priors;
    - `divisor`: (b,) what each image adds to the number that a step's loss is divided by:
      its matched priors;
    - `distillation`: (b,) distance from a teacher, where there is one, weighted already.

    For a head without priors they are the corresponding terms of `aligned_loss`.
    """

    classification: Tensor
    localization: Tensor
    divisor: Tensor
    distillation: Tensor | None = None

    def named(self) -> dict[str, Tensor]:
        """Give the terms by name, all that there are."""
        terms = {"classification": self.classification, "localization": self.localization}
        return terms if self.distillation is None else {**terms, "distillation": self.distillation}

    def total(self) -> Tensor:
        """Add everything up to a scalar; all terms weigh 1, as in the paper."""
        return torch.stack([term.sum() for term in self.named().values()]).sum()

    def detach(self) -> "LossTerms":
        """Give the same numbers without the graph behind them."""
        return LossTerms(
            classification=self.classification.detach(),
            localization=self.localization.detach(),
            divisor=self.divisor,
            distillation=None if self.distillation is None else self.distillation.detach(),
        )


def detection_loss(class_logits: Tensor, box_deltas: Tensor, targets: Targets) -> LossTerms:
    """Compare (b, p, 1 + num_classes) logits and (b, p, 4) deltas with batched targets.

    Everything is computed in float32, under autocast too.
    """
    matched = targets.matched
    with torch.autocast(class_logits.device.type, enabled=False):
        # Classes before priors: on a CPU a softmax over the last axis, of 11 or 21, takes 20 times
        # as long, a tenth of a small detector's step.
        cross_entropy = functional.cross_entropy(
            class_logits.float().transpose(1, 2).contiguous(), targets.classes, reduction="none"
        )
        distance = functional.smooth_l1_loss(
            box_deltas.float(), targets.deltas.float(), reduction="none", beta=1.0
        ).sum(dim=-1)
    counted = matched | hard_negatives(cross_entropy.detach(), matched)
    return LossTerms(
        classification=torch.where(counted, cross_entropy, 0.0).sum(dim=1),
        localization=torch.where(matched, distance, 0.0).sum(dim=1),
        divisor=matched.sum(dim=1).float(),
    )


def hard_negatives(background_loss: Tensor, matched: Tensor) -> Tensor:
    """Choose, per image, the unmatched priors with the largest (b, p) loss; a (b, p) mask."""
    wanted = NEGATIVES_PER_MATCH * matched.sum(dim=1, keepdim=True).clamp(min=1)
    most = min(int(wanted.max()), matched.shape[1])
    hardest = background_loss.masked_fill(matched, -torch.inf).topk(most, dim=1).indices
    places = torch.arange(most, device=matched.device)
    chosen = torch.zeros_like(matched).scatter_(1, hardest, places < wanted)
    return chosen & ~matched
