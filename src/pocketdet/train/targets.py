"""Which prior answers for which box: the matching of SSD.

Liu et al. 2016 (arXiv 1512.02325), section 2.2.

First every box gets one prior of its own, the one that overlaps it most; two boxes that want
the same prior are settled as in Caffe, in which the largest overlap of all is served first.
Then every prior that is left and overlaps some box by at least `iou_threshold` answers for the
box that it overlaps most. All other priors are background.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math

import torch
from torch import Tensor

from pocketdet.conventions import cxcywh_to_xyxy, pairwise_iou, xyxy_to_cxcywh
from pocketdet.model.box_coder import BoxCoder

BACKGROUND = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What each prior should say.

    - `classes`: (p,) or (b, p) int64; 0 is background, a box's class is its label + 1;
    - `deltas`: (p, 4) or (b, p, 4) float, the encoded box; zero where the class is background.
    """

    classes: Tensor
    deltas: Tensor

    @property
    def matched(self) -> Tensor:
        """The (..., p) mask of priors that answer for a box."""
        return self.classes != BACKGROUND


def assign(
    boxes_xyxy: Tensor,
    labels: Tensor,
    priors_cxcywh: Tensor,
    *,
    box_coder: BoxCoder,
    iou_threshold: float = 0.5,
) -> Targets:
    """Make the targets of one image.

    `boxes_xyxy` (n, 4) and `priors_cxcywh` (p, 4) are in pixels of the input, `labels` (n,) in
    the class list. Gives `Targets` of (p,) and (p, 4). Every box has at least one prior unless
    there are more boxes than priors. A box without area, or one that is not finite, raises
    `ValueError`.
    """
    targets = assign_batch(
        [boxes_xyxy], [labels], priors_cxcywh, box_coder=box_coder, iou_threshold=iou_threshold
    )
    return Targets(classes=targets.classes[0], deltas=targets.deltas[0])


def assign_batch(
    boxes_xyxy: Sequence[Tensor],
    labels: Sequence[Tensor],
    priors_cxcywh: Tensor,
    *,
    box_coder: BoxCoder,
    iou_threshold: float = 0.5,
) -> Targets:
    """Make the targets of several images at once, as (b, p) and (b, p, 4); see `assign`."""
    num_priors, num_images = len(priors_cxcywh), len(boxes_xyxy)
    most_boxes = max((len(boxes) for boxes in boxes_xyxy), default=0)
    if most_boxes == 0:
        return Targets(
            classes=priors_cxcywh.new_zeros(num_images, num_priors, dtype=torch.int64),
            deltas=priors_cxcywh.new_zeros(num_images, num_priors, 4),
        )
    refuse_boxes_without_area(boxes_xyxy)
    counts = torch.tensor([len(boxes) for boxes in boxes_xyxy], device=priors_cxcywh.device)
    present = torch.arange(most_boxes, device=priors_cxcywh.device) < counts[:, None]
    boxes = torch.nn.utils.rnn.pad_sequence([*boxes_xyxy], batch_first=True)
    prior_box, matched = _match(boxes, present, priors_cxcywh, iou_threshold=iou_threshold)

    padded_labels = torch.nn.utils.rnn.pad_sequence([*labels], batch_first=True)
    classes = torch.where(matched, padded_labels.gather(1, prior_box) + 1, BACKGROUND)
    deltas = boxes.new_zeros(num_images, num_priors, 4)
    image, prior = matched.nonzero(as_tuple=True)  # Few priors match: only they are encoded.
    chosen = boxes[image, prior_box[image, prior]]
    deltas[image, prior] = box_coder.encode(chosen, priors_cxcywh[prior])
    return Targets(classes=classes, deltas=deltas)


def _match(
    boxes_xyxy: Tensor, present: Tensor, priors_cxcywh: Tensor, *, iou_threshold: float
) -> tuple[Tensor, Tensor]:
    """Give, for each prior, the (b, p) place of its box and whether it has one."""
    iou = pairwise_iou(boxes_xyxy, cxcywh_to_xyxy(priors_cxcywh))
    iou = torch.where(present[..., None], iou, -1.0)
    best_iou, prior_box = iou.max(dim=1)
    matched = best_iou >= iou_threshold

    # Nearness is worth computing only where a box may run out of priors that it overlaps; it
    # gives up at most one to each other box.
    preference = iou
    if bool((present & ((iou > 0).sum(dim=2) < iou.shape[1])).any()):
        preference = _preference(iou, boxes_xyxy, priors_cxcywh)
    own_prior, has_own = _own_priors(preference, present)
    image, box = has_own.nonzero(as_tuple=True)
    prior_box[image, own_prior[image, box]] = box
    matched[image, own_prior[image, box]] = True
    return prior_box, matched


def _preference(iou: Tensor, boxes_xyxy: Tensor, priors_cxcywh: Tensor) -> Tensor:
    """Order the priors for each box (b, n, p): by overlap, and without any by nearness."""
    centres = xyxy_to_cxcywh(boxes_xyxy)[..., :2]
    far = torch.cdist(centres, priors_cxcywh[:, :2].expand(len(centres), -1, -1))
    return torch.where(iou > 0, iou, -far)


def _own_priors(preference: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Serve the largest preference first, without looking at the pairs one by one.

    Each box asks for its best prior; of several that ask for the same one the most overlapping
    stays and the others strike that prior off. When nobody has to strike, the result is what
    the greedy choice over all pairs gives (Gale and Shapley 1962), mostly after one or two
    rounds.
    """
    preference = torch.where(present[..., None], preference, -math.inf)
    num_boxes = preference.shape[1]
    earlier = torch.ones(num_boxes, num_boxes, device=preference.device).tril(-1).bool()
    while True:
        wish, prior = preference.max(dim=2)
        has_own = wish > -math.inf
        rivals = (prior[:, :, None] == prior[:, None, :]) & has_own[:, None, :]
        better = wish[:, None, :] > wish[:, :, None]
        better |= (wish[:, None, :] == wish[:, :, None]) & earlier
        loses = (rivals & better).any(dim=2) & has_own
        if not bool(loses.any()):
            return prior, has_own
        image, box = loses.nonzero(as_tuple=True)
        preference[image, box, prior[image, box]] = -math.inf


def refuse_boxes_without_area(boxes_xyxy: Sequence[Tensor]) -> None:
    boxes = torch.cat([*boxes_xyxy])
    size = boxes[:, 2:] - boxes[:, :2]
    sound = (size > 0).all(dim=1) & boxes.isfinite().all(dim=1)
    if not bool(sound.all()):
        raise ValueError(
            "`boxes_xyxy` must be finite and have x1 < x2 and y1 < y2; got "
            f"{boxes[~sound][0].tolist()}. `repair` leaves such boxes out before training."
        )
