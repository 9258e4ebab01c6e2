"""Names that must exist, and the nearest one for those that do not."""

from collections.abc import Iterable
from difflib import get_close_matches


def known_name(name: str, names: Iterable[object], what: str) -> str:
    """Give the name back if it is among `names`; else `ValueError` with the nearest one."""
    there = [str(n) for n in names]
    if name in there:
        return name
    close = get_close_matches(name, there, n=1, cutoff=0.5)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    raise ValueError(f"`{name}` is no {what}; there are {', '.join(there)}.{hint}")
