"""What a part that was not there can have in place of its own parts, so that these can be judged.

A new neck may bring an attention and a norm of its own. Whether the neck or what is in it is at
fault can be asked only if the neck can be made without them.
"""

from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, get_type_hints

from pocketdet.model import Nearest, NoAttention, NoNeck, NoNorm, StandardConv
from pocketdet.model.attention import Attention
from pocketdet.model.conv import Conv
from pocketdet.model.neck import Neck
from pocketdet.model.norm import Norm
from pocketdet.model.upsample import Upsample

NEUTRAL: dict[Any, Any] = {
    Attention: NoAttention(),
    Conv: StandardConv(),
    Conv | None: None,
    Neck: NoNeck(),
    Norm: NoNorm(),
    Upsample: Nearest(),
}
"""By the type that a field is declared with: what does nothing, or what is plainest."""

OWN = "pocketdet."


def neutral_fields(before: Any, after: Any) -> dict[str, Any]:
    """Give what some fields of a new part would be without its changes, where that is another.

    That is what the part before had under the same name and type; or, of a field that is a part
    itself, the default if that is one of the package's own choices, or else what does nothing.
    A field is left out where the part refuses such a value.
    """
    hints = get_type_hints(type(after))
    found: dict[str, Any] = {}
    for field in fields(after):
        value = getattr(after, field.name)
        for neutral in _candidates(field.name, hints[field.name], before, field.default):
            if neutral == value:
                break
            if _is_accepted(after, field.name, neutral):
                found[field.name] = neutral
                break
    return found if _are_accepted(after, found) else {}


def _candidates(name: str, kind: Any, before: Any, default: Any) -> list[Any]:
    candidates: list[Any] = []
    if is_dataclass(before) and get_type_hints(type(before)).get(name) == kind:
        candidates.append(getattr(before, name))
    if kind in NEUTRAL:
        is_known = type(default).__module__.startswith(OWN) or default is None
        if default is not MISSING and is_known:
            candidates.append(default)
        candidates.append(NEUTRAL[kind])
    return candidates


def _is_accepted(part: Any, name: str, value: Any) -> bool:
    return _are_accepted(part, {name: value})


def _are_accepted(part: Any, values: dict[str, Any]) -> bool:
    try:
        replace(part, **values)
    except ValueError:
        return False
    return True
