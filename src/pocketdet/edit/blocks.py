"""A detector as the blocks that its config names, in the order in which a picture passes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pocketdet.edit.config_changes import short
from pocketdet.model import Detector
from pocketdet.model.attention.placed import placed
from pocketdet.model.evaluation_mode import evaluation_mode
from pocketdet.model.placement import place_key


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """One part of a detector, with what it was called with.

    - `name`: `stem`, `stage2`, `attention.stage2`, `extra1`, `neck`, `head`;
    - `role`: `stem`, `stage`, `attention`, `extra`, `neck` or `head`;
    - `kind`: the config's parts, as a config file writes them;
    - `given`: the arguments of one call at the contract's size;
    - `maps`: (channels, height, width) of what it gave; a head gives none.
    """

    name: str
    role: str
    kind: str
    module: nn.Module
    given: tuple[Any, ...]
    maps: tuple[tuple[int, int, int], ...]

    @property
    def structure(self) -> tuple[object, ...]:
        """Equal for blocks of one kind whose tensors have the same names and shapes."""
        state = self.module.state_dict()
        return (self.kind, *((name, tuple(value.shape)) for name, value in state.items()))


@torch.no_grad()
def blocks_of(detector: Detector) -> tuple[Block, ...]:
    """Run a detector once on a grey picture, and give its blocks; identities are left out."""
    named = [
        (name, kind, module)
        for name, kind, module in _named_blocks(detector)
        if not isinstance(module, nn.Identity)
    ]
    given: dict[int, tuple[Any, ...]] = {}
    gave: dict[int, Any] = {}

    def note(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        given[id(module)], gave[id(module)] = arguments, output

    hooks = [module.register_forward_hook(note) for _, _, module in named]
    try:
        with evaluation_mode(detector):
            detector(torch.zeros(1, 3, detector.contract.height, detector.contract.width))
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(
        Block(
            name=name,
            role=name.split(".")[0].rstrip("0123456789"),
            kind=kind,
            module=module,
            given=given[id(module)],
            maps=_maps(gave[id(module)]) if name != "head" else (),
        )
        for name, kind, module in named
    )


def _named_blocks(detector: Detector) -> Iterator[tuple[str, str, nn.Module]]:
    config = detector.config
    yield "stem", short(config.stem), detector.stem
    yield from _attention(detector, "stem")
    for number, (stage, part) in enumerate(
        zip(detector.stages, config.stages, strict=True), start=1
    ):
        yield f"stage{number}", short(part), stage
        yield from _attention(detector, f"stage{number}")
    for number, (extra, part) in enumerate(
        zip(detector.extras, config.extras, strict=True), start=1
    ):
        yield f"extra{number}", short(part), extra
        yield from _attention(detector, f"extra{number}")
    yield "neck", short(config.neck), detector.neck
    for name in detector.level_names:
        yield from _attention(detector, name)
    yield "head", short(config.head), detector.head


def _attention(detector: Detector, place: str) -> Iterator[tuple[str, str, nn.Module]]:
    key = place_key(place)
    if key in detector.attention:
        here = [c for c in placed(detector.config.attention) if c.stands_behind(place)]
        kind = " + ".join(
            short(c.block) + (", start=identity" if c.start == "identity" else "") for c in here
        )
        yield f"attention.{place}", kind, detector.attention[key]


def _maps(output: Any) -> tuple[tuple[int, int, int], ...]:
    maps: list[Tensor] = output if isinstance(output, list) else [output]
    return tuple((m.shape[1], m.shape[2], m.shape[3]) for m in maps)
