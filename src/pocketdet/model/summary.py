"""The figures of a detector: size, cost, levels and places."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from pocketdet.model.assemble import build
from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.config import DetectorConfig
from pocketdet.model.cost import count_macs, count_parameters
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.head import LevelShape


@dataclass(frozen=True, kw_only=True)
class LevelSummary:
    """One prediction of the head: the map it reads, and the priors on it (sizes in pixels).

    A head without priors has one place a cell instead, and up to `largest` it can state a box.
    """

    source: int
    channels: int
    height: int
    width: int
    smallest: float
    largest: float
    num_priors: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a config costs and where it looks, for one number of classes.

    `kind_of_place` is "prior", or "cell" of a head without priors, which gives one row a cell;
    `num_priors` counts either.
    """

    num_classes: int
    input_height: int
    input_width: int
    parameters: int
    parameters_folded: int
    macs: int
    kind_of_place: str
    num_priors: int
    levels: tuple[LevelSummary, ...]

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def summarize(config: DetectorConfig, *, num_classes: int) -> Summary:
    """Build the detector once and count; parameters also with each batch norm folded."""
    detector = build(config, num_classes=num_classes).eval()
    height, width = config.input.height, config.input.width
    images = torch.zeros(1, 3, height, width)
    maps = detector.levels(images)
    shapes = tuple(LevelShape.of(level) for level in maps)
    levels = tuple(
        LevelSummary(
            source=entry.source,
            channels=shapes[entry.source].channels,
            height=shapes[entry.source].height,
            width=shapes[entry.source].width,
            smallest=entry.smallest,
            largest=entry.largest,
            num_priors=entry.num_places,
        )
        for entry in config.head.coverage(shapes, (height, width))
    )
    return Summary(
        num_classes=num_classes,
        input_height=height,
        input_width=width,
        parameters=count_parameters(detector),
        parameters_folded=count_parameters(fold_batch_norm(detector)),
        macs=count_macs(detector, images),
        kind_of_place="prior" if isinstance(config.head.box_coder, BoxCoder) else "cell",
        num_priors=len(detector.places_cxcywh),
        levels=levels,
    )
