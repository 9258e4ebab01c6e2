"""Read a config from top to bottom and join its parts. Only this file knows the whole config."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pocketdet.conventions import ClassList
from pocketdet.model.config import DetectorConfig
from pocketdet.model.conv import StandardConv
from pocketdet.model.detector import Detector
from pocketdet.model.head import LevelShape
from pocketdet.model.layers import Layers
from pocketdet.model.own_code import built, of_part
from pocketdet.model.placement import AttentionPlaces, level_names


def build(
    config: DetectorConfig,
    *,
    num_classes: int | None = None,
    classes: ClassList | None = None,
    seed: int | None = None,
) -> Detector:
    """Build a detector with random weights, for named classes or for a number of them.

    Nobody declares how many channels a part gives or how large its map is: each part is run once
    on zeros of the contract's size, and the next one is built for what came out. So a part of
    one's own needs nothing but `build`, and the priors lie on the maps as they really are.

    Weights are drawn from torch's generator as it stands. With a `seed`, each part draws from
    that seed and its own name, so that another part here does not shift the numbers of the rest,
    and the generator is left as it was.
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
    if seed is None:
        return _build(config, classes, _draws_on)
    with torch.random.fork_rng(devices=[]):
        return _build(config, classes, partial(_draw_by_name, seed))


BeginPart = Callable[[str], None]
"""Is told the name of each part before it is built."""


def _draws_on(part: str) -> None:
    """Let a part draw its weights where the one before it stopped."""


def _draw_by_name(seed: int, part: str) -> None:
    mixed = np.random.SeedSequence((seed, *part.encode())).generate_state(1, np.uint64)
    torch.manual_seed(int(mixed[0]))


def _build(config: DetectorConfig, classes: ClassList, begin: BeginPart) -> Detector:
    layers = Layers(norm=config.norm, activation=config.activation, convolution=config.conv)
    places = AttentionPlaces(config.attention)
    attend = partial(_attend, places, begin)
    parts, levels = _build_backbone(config, layers, attend, begin)
    begin("neck")
    parts["neck"] = built("neck", config.neck, _channels(levels), layers)
    names = level_names(int(levels[0].shape[-2]), config.input.height, config.num_levels)
    levels = _maps("neck", parts["neck"], levels)
    levels = [attend(name, level) for name, level in zip(names, levels, strict=True)]
    places.check_all_found()
    parts["attention"] = places.modules
    begin("head")
    parts["head"] = built(
        "head",
        config.head,
        tuple(LevelShape.of(level) for level in levels),
        input_size=(config.input.height, config.input.width),
        num_classes=len(classes),
        layers=layers,
    )
    return Detector(config=config, classes=classes, parts=parts, level_names=names)


def _build_backbone(
    config: DetectorConfig,
    layers: Layers,
    attend: Callable[[str, Tensor], Tensor],
    begin: BeginPart,
) -> tuple[dict[str, nn.Module], list[Tensor]]:
    begin("stem")
    stem = built("stem", config.stem, replace(layers, convolution=StandardConv()))
    stages, extras = nn.ModuleList(), nn.ModuleList()
    levels: list[Tensor] = []
    images = torch.zeros(1, 3, config.input.height, config.input.width)
    features = _map("stem", stem, images)
    features = attend("stem", features)
    for index, stage in enumerate(config.stages):
        begin(name := f"stage{index + 1}")
        stages.append(built(name, stage, features.shape[1], layers))
        features = attend(name, _map(name, stages[-1], features))
        if index in config.levels_from:
            levels.append(features)
    for index, extra in enumerate(config.extras):
        begin(name := f"extra{index + 1}")
        extras.append(built(name, extra, features.shape[1], layers))
        features = attend(name, _map(name, extras[-1], features))
        levels.append(features)
    return {"stem": stem, "stages": stages, "extras": extras}, levels


def _attend(places: AttentionPlaces, begin: BeginPart, place: str, features: Tensor) -> Tensor:
    begin(name := f"attention.{place}")
    block = places.behind(place, features.shape[1])
    attended = _map(name, block, features)
    if attended.shape != features.shape:
        raise ValueError(
            f"`{name}` ({type(block).__name__}) must keep the map's size, "
            f"{_size(features)}; it gave {_size(attended)}."
        )
    return attended


def _map(place: str, part: nn.Module, features: Tensor) -> Tensor:
    """Run a part that gives one map of what it gets."""
    result: Any = _run(place, part, features)
    if not isinstance(result, Tensor) or result.ndim != 4:
        raise ValueError(
            f"`{place}` ({type(part).__name__}) must give one map (b, channels, h, w); it gave "
            f"{_kind(result)}."
        )
    return result


def _maps(place: str, part: nn.Module, levels: list[Tensor]) -> list[Tensor]:
    """Run a part that gives as many maps as it gets."""
    result: Any = _run(place, part, levels)
    if not isinstance(result, list | tuple) or len(result) != len(levels):  # pyright: ignore
        raise ValueError(
            f"`{place}` ({type(part).__name__}) must give a list of {len(levels)} maps, one for "
            f"each level; it gave {_kind(result)}."
        )
    return list(result)


@torch.no_grad()
def _run(place: str, part: nn.Module, features: Any) -> Any:
    """Run a part once in evaluation mode, so that no running statistic moves."""
    with of_part(place, part, "run"):
        part.eval()
        result = part(features)
        part.train()
    return result


def _size(features: Tensor) -> str:
    return "×".join(str(size) for size in features.shape[1:])


def _kind(result: Any) -> str:
    if isinstance(result, Tensor):
        return f"one tensor of {tuple(result.shape)}"
    return (
        f"{type(result).__name__} of {len(result)}"
        if isinstance(result, list | tuple)
        else type(result).__name__
    )


def _channels(levels: list[Tensor]) -> tuple[int, ...]:
    return tuple(int(level.shape[1]) for level in levels)
