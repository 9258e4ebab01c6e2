"""Named detectors. A variant is the line in which it differs.

Each comment says what the recipe reached, by which command, in which time, on which machine.
"""

from dataclasses import replace

from pocketdet.conventions import InputContract
from pocketdet.model.config import DetectorConfig
from pocketdet.model.distance_coder import DistanceCoder
from pocketdet.model.extra import ExtraConvs
from pocketdet.model.head import GFLHead, PeleeHead
from pocketdet.model.norm import BatchNorm
from pocketdet.model.priors import PELEE_COCO_PRIORS, prior_ladder
from pocketdet.model.stage import TwoWayDense
from pocketdet.model.stem import PeleeStem

# As published: 5.42 M parameters (BN folded) and 1,205 M MACs with 20 classes.
PELEE = DetectorConfig()

# As published: 5.98 M parameters and 1,284 M MACs with 80 classes; smaller priors.
PELEE_COCO = replace(PELEE, head=PeleeHead(priors=PELEE_COCO_PRIORS))

# Pelee that reads the 38×38 map of its second stage too, for objects of 15 to 30 px at 304. The
# other entries stay as they are, so that weights of PELEE carry over. Not trained yet.
PELEE_38 = replace(
    PELEE,
    levels_from=(1, 2, 3),
    head=PeleeHead(
        priors=prior_ladder((0, 1, 1, 2, 3, 4, 5), (0.05, 0.10, 0.20, 0.37, 0.54, 0.71, 0.88, 1.05))
    ),
)

# Two entries on each of the finer maps, as Pelee does on its finest: with one entry a map the sizes
# stand a factor of 2 apart, and a third of all boxes overlap no prior by half (see LOG.md).
SMALL_PRIORS = prior_ladder((0, 0, 1, 1, 2, 3), (0.06, 0.11, 0.18, 0.29, 0.43, 0.66, 1.0))

# BCCD, from scratch, 2 cores (AMD EPYC), seed 0: AP 58.6, AP50 89.6 on `test`, in 34 minutes, by
#   pocketdet train PELEE_SMALL --data BCCD --split-train trainval --epochs 200 --batch-size 8
#     --learning-rate 0.04 --augmentation light --cache
# and `pocketdet evaluate runs/NAME/last.pt --data BCCD --split test`. With Xavier heads,
# before they started near zero: AP 57.8, AP50 89.3 (LOG.md).
PELEE_SMALL = DetectorConfig(
    input=InputContract(height=224, width=224),
    stem=PeleeStem(channels=24),
    stages=(
        TwoWayDense(num_layers=3, growth=16, bottleneck_width=1, stride=1),
        TwoWayDense(num_layers=4, growth=16, bottleneck_width=2),
        TwoWayDense(num_layers=8, growth=16, bottleneck_width=4),
        TwoWayDense(num_layers=6, growth=16, bottleneck_width=4),
    ),
    levels_from=(1, 2, 3),
    extras=(ExtraConvs(hidden=64, channels=128, norm=BatchNorm()),),
    head=PeleeHead(channels=128, priors=SMALL_PRIORS),
)

# Without the shapes of 1 by 3, a third of the priors, which digits hardly use.
TINY_PRIORS = tuple(replace(prior, aspect_ratios=(2.0,)) for prior in SMALL_PRIORS)

# Built-in set, from scratch, 2 cores (AMD EPYC) that others used too, one seed: AP 64.2, AP50 85.5
# on `val` after 5 epochs of 8,000 scenes, in 10 min 20 s with drawing and evaluation, by
#   pocketdet demo
# Few layers of 32 channels: on a CPU a convolution of 8 channels
# takes as long as one of 16. LOG.md and docs/decisions/0010 have what else was tried.
PELEE_TINY = DetectorConfig(
    input=InputContract(height=160, width=192),
    stem=PeleeStem(channels=16),
    stages=(
        TwoWayDense(num_layers=1, growth=32, bottleneck_width=1, stride=1),
        TwoWayDense(num_layers=2, growth=32, bottleneck_width=2),
        TwoWayDense(num_layers=3, growth=32, bottleneck_width=2),
        TwoWayDense(num_layers=2, growth=32, bottleneck_width=2),
    ),
    levels_from=(1, 2, 3),
    extras=(ExtraConvs(hidden=64, channels=128, norm=BatchNorm()),),
    head=PeleeHead(channels=128, priors=TINY_PRIORS),
)

# The same without priors: each cell says what is there (quality and distribution focal loss). An
# untrained cell's box is num_bins - 2 cells wide; with 8 bins that of the coarsest level is larger
# than the input, so that no box was assigned to it at the start and its norms had no gradient.
PELEE_SMALL_GFL = replace(
    PELEE_SMALL, head=GFLHead(channels=96, box_coder=DistanceCoder(num_bins=5))
)
PELEE_TINY_GFL = replace(PELEE_TINY, head=GFLHead(channels=72, box_coder=DistanceCoder(num_bins=5)))


def names() -> dict[str, DetectorConfig]:
    """Give every recipe by its name."""
    return {name: value for name, value in globals().items() if isinstance(value, DetectorConfig)}
