"""Find, for each module of an altered detector, the same module of the base.

By class, shapes and order, never by index: children of sequences and lists are aligned so that
the most values are carried, all others go by their name within a module of the same class.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pocketdet.edit.alignment import align
from pocketdet.edit.module_tree import Fingerprint, ModuleNode

ELSEWHERE = 0.9
"""Worth of a module that now reads another map size: it is carried unless one that reads the same
size can be."""

SAME_NAME = 1e-3
"""Less than a value: decides between partners that are otherwise alike."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """A module of the base and its counterpart in the altered detector.

    - `is_same`: their own tensors have the same names and shapes, so that they are carried; else
      only what is below them;
    - `is_moved`: found by looking everywhere, not by going down from what holds it.
    """

    base: ModuleNode
    altered: ModuleNode
    is_same: bool = True
    is_moved: bool = False


def match_modules(base: ModuleNode, altered: ModuleNode) -> list[Match]:
    """Pair all modules that are the same, or hold some; each stands in at most one pair."""
    matcher = _Matcher()
    matches = list(matcher.pairs(base, altered))
    taken_base = {id(match.base) for match in matches if match.base.own and match.is_same}
    taken_altered = {id(match.altered) for match in matches if match.base.own and match.is_same}
    free: dict[Fingerprint, list[ModuleNode]] = {}
    for node in base.walk():
        if node.is_composed and _is_free(node, taken_base):
            free.setdefault(node.fingerprint, []).append(node)
    return matches + list(_moved(altered, free, taken_base, taken_altered))


class _Matcher:
    def __init__(self) -> None:
        self._known: dict[tuple[int, int], float] = {}

    def worth(self, base: ModuleNode, altered: ModuleNode) -> float:
        """Count the values that pairing the two carries, with the two small preferences."""
        key = (id(base), id(altered))
        if key not in self._known:
            self._known[key] = self._worth(base, altered)
        return self._known[key]

    def _worth(self, base: ModuleNode, altered: ModuleNode) -> float:
        if base.kind != altered.kind:
            return 0.0
        values = sum(self.worth(a, b) for a, b in self._children(base, altered))
        if base.own == altered.own:
            values += base.num_values - sum(child.num_values for child in base.children)
        if not values:
            return 0.0
        same_place = abs(base.stride - altered.stride) < 0.5
        return values * (1 if same_place else ELSEWHERE) + SAME_NAME * (base.name == altered.name)

    def _children(
        self, base: ModuleNode, altered: ModuleNode
    ) -> Iterator[tuple[ModuleNode, ModuleNode]]:
        if not base.is_sequence:
            named = {child.name: child for child in base.children}
            yield from ((named[c.name], c) for c in altered.children if c.name in named)
            return
        for old, new in align(base.children, altered.children, self.worth):
            if old is not None and new is not None:
                yield base.children[old], altered.children[new]

    def pairs(self, base: ModuleNode, altered: ModuleNode) -> Iterator[Match]:
        if self.worth(base, altered) <= 0:
            return
        yield Match(base=base, altered=altered, is_same=base.own == altered.own)
        for old, new in self._children(base, altered):
            yield from self.pairs(old, new)


def _moved(
    node: ModuleNode,
    free: dict[Fingerprint, list[ModuleNode]],
    taken_base: set[int],
    taken_altered: set[int],
) -> Iterator[Match]:
    """Take whole modules of a part's own class along, wherever they stood; largest first."""
    if node.is_composed and _is_free(node, taken_altered):
        for candidate in free.get(node.fingerprint, []):
            if _is_free(candidate, taken_base):
                for old, new in zip(candidate.walk(), node.walk(), strict=True):
                    if old.own:
                        taken_base.add(id(old))
                        yield Match(base=old, altered=new, is_moved=True)
                return
    for child in node.children:
        yield from _moved(child, free, taken_base, taken_altered)


def _is_free(node: ModuleNode, taken: set[int]) -> bool:
    return not any(id(below) in taken for below in node.walk())
