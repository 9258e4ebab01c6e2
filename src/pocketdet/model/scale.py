"""Make a whole detector narrower or wider, shallower or deeper."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from pocketdet.model.config import DetectorConfig

WIDTHS: Mapping[str, int] = {"channels": 8, "hidden": 8, "growth": 4}
"""Fields that are widths, each with the multiple that it is rounded to (and its least value)."""

DEPTHS = ("num_layers", "num_convs", "num_blocks", "repeats")
"""Fields that count layers in a row; at least one always stays."""


def scaled(config: DetectorConfig, *, width: float = 1.0, depth: float = 1.0) -> DetectorConfig:
    """Multiply every width and every number of layers of a config, head, neck and extras included.

    Widths are rounded to the nearest multiple of 8 (growth of 4), and up where that would take
    more than a tenth away, as in the MobileNets; a factor of 1 changes nothing. In dense stages
    fewer layers also mean fewer channels. A part of the user's own takes part by the same field
    names (`WIDTHS`, `DEPTHS`); what it calls otherwise, and a drawn graph, stays as it is.
    """
    factors: dict[str, Any] = {"width": width, "depth": depth}
    for name, factor in factors.items():
        if isinstance(factor, bool) or not isinstance(factor, int | float) or factor <= 0:
            raise ValueError(f"`{name}` must be a number above 0; got {factor!r}.")
    return _scale(config, width, depth)


def _scale(value: Any, width: float, depth: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_scale(item, width, depth) for item in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {}
    for name in (field.name for field in fields(value)):
        before = getattr(value, name)
        after = _scale_field(name, before, width, depth)
        if after != before:
            changed[name] = after
    return replace(value, **changed) if changed else value


def _scale_field(name: str, value: Any, width: float, depth: float) -> Any:
    if name in WIDTHS and _is_count(value):
        return _round_width(value, width, WIDTHS[name])
    if name in DEPTHS and _is_count(value):
        return max(1, round(value * depth))
    if name in WIDTHS and isinstance(value, tuple) and all(_is_count(item) for item in value):
        return tuple(_round_width(item, width, WIDTHS[name]) for item in value)
    return _scale(value, width, depth)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _round_width(channels: int, factor: float, multiple: int) -> int:
    if factor == 1:
        return channels
    wanted = channels * factor
    rounded = max(multiple, int(wanted + multiple / 2) // multiple * multiple)
    return rounded + multiple if rounded < 0.9 * wanted else rounded
