"""Named detectors. A variant is the line in which it differs.

Each comment says what the recipe reached, by which command, in which time, on which machine.
"""

from dataclasses import replace

from pocketdet.conventions import InputContract
from pocketdet.model.config import DetectorConfig
from pocketdet.model.extra import ExtraConvs
from pocketdet.model.head import PeleeHead
from pocketdet.model.norm import BatchNorm
from pocketdet.model.priors import PELEE_COCO_PRIORS, PriorLevel
from pocketdet.model.stage import TwoWayDense
from pocketdet.model.stem import PeleeStem

# As published: 5.42 M parameters (BN folded) and 1,205 M MACs with 20 classes.
PELEE = DetectorConfig()

# As published: 5.98 M parameters and 1,284 M MACs with 80 classes; smaller priors.
PELEE_COCO = replace(PELEE, head=PeleeHead(priors=PELEE_COCO_PRIORS))

SMALL_PRIORS = (
    PriorLevel(source=0, smallest=0.06, largest=0.12),
    PriorLevel(source=1, smallest=0.12, largest=0.25),
    PriorLevel(source=2, smallest=0.25, largest=0.45),
    PriorLevel(source=3, smallest=0.45, largest=0.75),
)

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

PELEE_TINY = DetectorConfig(
    input=InputContract(height=160, width=192),
    stem=PeleeStem(channels=16),
    stages=(
        TwoWayDense(num_layers=2, growth=16, bottleneck_width=1, stride=1),
        TwoWayDense(num_layers=3, growth=16, bottleneck_width=2),
        TwoWayDense(num_layers=5, growth=16, bottleneck_width=4),
        TwoWayDense(num_layers=3, growth=16, bottleneck_width=4),
    ),
    levels_from=(1, 2, 3),
    extras=(ExtraConvs(hidden=48, channels=96, norm=BatchNorm()),),
    head=PeleeHead(channels=96, priors=SMALL_PRIORS),
)


def names() -> dict[str, DetectorConfig]:
    """Give every recipe by its name."""
    return {name: value for name, value in globals().items() if isinstance(value, DetectorConfig)}
