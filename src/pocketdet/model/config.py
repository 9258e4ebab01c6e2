"""What a detector is made of. Every field is one decision, and one line to change."""

from dataclasses import dataclass

from pocketdet.conventions import InputContract
from pocketdet.model.activation import Activation, ReLU
from pocketdet.model.attention import Attention, NoAttention, PlacedAttention
from pocketdet.model.conv import Conv, StandardConv
from pocketdet.model.extra import Extra, ExtraConvs
from pocketdet.model.head import Head, PeleeHead
from pocketdet.model.neck import Neck, NoNeck
from pocketdet.model.norm import BatchNorm, Norm
from pocketdet.model.own_code import of_part
from pocketdet.model.stage import Stage, TwoWayDense
from pocketdet.model.stem import PeleeStem, Stem

PELEE_STAGES = (
    TwoWayDense(num_layers=3, bottleneck_width=1, stride=1),
    TwoWayDense(num_layers=4, bottleneck_width=2),
    TwoWayDense(num_layers=8, bottleneck_width=4),
    TwoWayDense(num_layers=6, bottleneck_width=4),
)

PELEE_EXTRAS = (
    ExtraConvs(hidden=256, channels=256, stride=2),
    ExtraConvs(hidden=128, channels=256, stride=1),
    ExtraConvs(hidden=128, channels=256, stride=1),
)


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """A detector as data; the defaults are Pelee for VOC (Wang et al. 2018, arXiv 1804.06882).

    - `input`: size and preprocessing;
    - `stem`, `stages`: the backbone;
    - `levels_from`: the stages, counted from 0, whose outputs are levels to detect on;
    - `extras`: further, smaller levels, each made from the last one;
    - `attention`: stands behind every stage, or each of a list at the places that it names;
    - `neck`: joins the levels;
    - `head`: predicts from them, and places the priors;
    - `norm`, `activation`: of every convolution block that does not name its own;
    - `conv`: what stands for every convolution of more than 1×1 behind the stem.
    """

    input: InputContract = InputContract()
    stem: Stem = PeleeStem()
    stages: tuple[Stage, ...] = PELEE_STAGES
    levels_from: tuple[int, ...] = (2, 3)
    extras: tuple[Extra, ...] = PELEE_EXTRAS
    attention: Attention | tuple[PlacedAttention, ...] = NoAttention()
    neck: Neck = NoNeck()
    head: Head = PeleeHead()
    norm: Norm = BatchNorm()
    activation: Activation = ReLU()
    conv: Conv = StandardConv()

    def __post_init__(self) -> None:
        last = len(self.stages) - 1
        if not self.stages:
            raise ValueError("`stages` must have at least one stage; got none.")
        if list(self.levels_from) != sorted(set(self.levels_from)) or not self.levels_from:
            raise ValueError(
                "`levels_from` must name stages from fine to coarse, each once; got "
                f"{list(self.levels_from)}."
            )
        if self.levels_from[0] < 0 or self.levels_from[-1] != last:
            raise ValueError(
                f"`levels_from` must end with the last stage, {last}, since what follows a level "
                f"is never used otherwise; got {list(self.levels_from)}."
            )
        self._check_head_sources()

    def _check_head_sources(self) -> None:
        with of_part("head", self.head, "asked for its `sources`"):
            sources = self.head.sources(self.num_levels)
        levels = set(range(self.num_levels))
        if sources != levels:
            raise ValueError(
                f"`head.priors` must read every level, 0 to {self.num_levels - 1} (there are "
                f"{len(self.levels_from)} from stages and {len(self.extras)} extras), and no "
                f"other; they read {sorted(sources)}."
            )

    @property
    def num_levels(self) -> int:
        """How many maps the head reads."""
        return len(self.levels_from) + len(self.extras)
