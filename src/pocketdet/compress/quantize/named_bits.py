"""Numbers of bits that are given for single layers, or for all within a module."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from pocketdet.model.quantized.uniform import check_bits


def check_named_bits(field: str, given: Mapping[str, int]) -> None:
    """Raise `ValueError` for a number of bits that no grid has."""
    for name, bits in given.items():
        check_bits(f"{field}: {name}", bits)


def named_bits(field: str, given: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Give the bits of those `names` that `given` names, itself or by a module that they lie in.

    The longest name counts. One that is nowhere raises `ValueError` with the nearest.
    """
    known = list(names)
    found: dict[str, int] = {}
    for key in sorted(given, key=len):
        inside = [name for name in known if name == key or name.startswith(f"{key}.")]
        if not inside:
            raise ValueError(_unknown(field, key, known))
        found |= dict.fromkeys(inside, given[key])
    return found


def _unknown(field: str, key: str, known: Sequence[str]) -> str:
    close = get_close_matches(key, [*_modules(known), *known], n=1, cutoff=0.5)
    hint = f"; did you mean `{close[0]}`?" if close else "."
    return (
        f"`{field}` must name layers of the detector or modules that they lie in; none of its "
        f"{len(known)} is in `{key}`{hint}"
    )


def _modules(names: Iterable[str]) -> list[str]:
    """Name every module that one of the names lies in."""
    parts = [name.split(".") for name in names]
    modules = (".".join(own[:depth]) for own in parts for depth in range(1, len(own)))
    return list(dict.fromkeys(modules))
