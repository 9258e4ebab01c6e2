"""Read a config from top to bottom and join its parts. Only this file knows the whole config."""

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from pocketdet.conventions import ClassList
from pocketdet.model.config import DetectorConfig
from pocketdet.model.conv import StandardConv
from pocketdet.model.detector import Detector
from pocketdet.model.head import LevelShape
from pocketdet.model.layers import Layers

Features = TypeVar("Features", Tensor, list[Tensor])


def build(
    config: DetectorConfig, *, num_classes: int | None = None, classes: ClassList | None = None
) -> Detector:
    """Build a detector with random weights, for named classes or for a number of them.

    Nobody declares how many channels a part gives or how large its map is: each part is run once
    on zeros of the contract's size, and the next one is built for what came out. So a part of
    one's own needs nothing but `build`, and the priors lie on the maps as they really are.
    """
    if classes is None:
        if num_classes is None:
            raise ValueError("`build` needs `num_classes` or `classes`; got neither.")
        classes = ClassList.numbered(num_classes)
    elif num_classes not in (None, len(classes)):
        raise ValueError(
            f"`num_classes` is {num_classes}, and `classes` has {len(classes)} names; "
            "give one of the two."
        )
    layers = Layers(norm=config.norm, activation=config.activation, convolution=config.conv)
    parts, levels = _build_backbone(config, layers)
    parts["neck"] = config.neck.build(_channels(levels), layers)
    levels = _run(parts["neck"], levels)
    parts["head"] = config.head.build(
        tuple(LevelShape.of(level) for level in levels),
        input_size=(config.input.height, config.input.width),
        num_classes=len(classes),
        layers=layers,
    )
    return Detector(config=config, classes=classes, parts=parts)


def _build_backbone(
    config: DetectorConfig, layers: Layers
) -> tuple[dict[str, nn.Module], list[Tensor]]:
    stem = config.stem.build(replace(layers, convolution=StandardConv()))
    stages, attention, extras = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
    levels: list[Tensor] = []
    features = _run(stem, torch.zeros(1, 3, config.input.height, config.input.width))
    for index, stage in enumerate(config.stages):
        stages.append(stage.build(features.shape[1], layers))
        features = _run(stages[-1], features)
        attention.append(config.attention.build(features.shape[1]))
        features = _run(attention[-1], features)
        if index in config.levels_from:
            levels.append(features)
    for extra in config.extras:
        extras.append(extra.build(features.shape[1], layers))
        features = _run(extras[-1], features)
        levels.append(features)
    parts: dict[str, nn.Module] = {
        "stem": stem,
        "stages": stages,
        "attention": attention,
        "extras": extras,
    }
    return parts, levels


@torch.no_grad()
def _run(part: nn.Module, features: Features) -> Features:
    """Run a part once in evaluation mode, so that no running statistic moves."""
    part.eval()
    result = part(features)
    part.train()
    return result


def _channels(levels: list[Tensor]) -> tuple[int, ...]:
    return tuple(int(level.shape[1]) for level in levels)
