"""Every compression step, named explicitly, and how steps are stated as plain data.

To add one, add a file and a line here; a step of the user's own is named by its import path
(`my_steps:Halve`).
"""

from collections.abc import Sequence
from typing import Any

from pocketdet.compress.channels.criteria import SCORES
from pocketdet.compress.channels.scores import ChannelScore
from pocketdet.compress.distill.distill import Distill
from pocketdet.compress.planning import Plan
from pocketdet.compress.prune import Prune
from pocketdet.compress.quantize import Quantize
from pocketdet.compress.search import SAMPLERS, ActorCritic, Sampler, Search
from pocketdet.compress.sparsify import Sparsify
from pocketdet.compress.step import Step
from pocketdet.model.nearest_name import known_name
from pocketdet.model.plain_data import PlainData

STEPS: tuple[type[Step], ...] = (Prune, Sparsify, Quantize, Distill, Search, Plan)

CHOICES: dict[Any, tuple[type, ...]] = {
    Step: STEPS,
    ChannelScore: SCORES,
    Sampler: (*SAMPLERS, ActorCritic),
}
"""For each protocol that a step's settings can be of, the choices that have a name of their own."""

NOTATION = PlainData(choices=CHOICES, method="apply")


def steps_to_data(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Write every setting out, so that a later change of a default changes no saved result."""
    return [NOTATION.write(step, Step) for step in steps]


def steps_from_data(data: Any) -> tuple[Step, ...]:
    """Read a list of steps, each `name` or `{name: {setting: value}}`; case does not matter.

    Raises `ValueError` that names the setting and the nearest valid one.
    """
    entries = data if isinstance(data, list) else [data]
    if not entries:
        raise ValueError("`how` must name at least one step; got none.")
    return tuple(_read(entry, number) for number, entry in enumerate(entries, start=1))


def _read(entry: Any, number: int) -> Step:
    return NOTATION.read(_spelled(entry), Step, None, f"step {number}")


def _spelled(entry: Any) -> Any:
    if isinstance(entry, str):
        return _class_name(entry)
    if isinstance(entry, dict):
        return {_class_name(str(name)): value for name, value in entry.items()}
    return entry


def _class_name(name: str) -> str:
    if ":" in name:
        return name
    names = {kind.__name__.lower(): kind.__name__ for kind in STEPS}
    return names[known_name(name.lower(), names, "compression step")]
