"""Rows of choices in which every choice of a factor meets every choice of every other one."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Pair = tuple[str, int, str, int]


def covering_rows(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Cover all pairs greedily: a row starts from the first pair that is missing.

    Each further factor takes the choice that brings the most missing pairs; of equal ones that
    which was used least. The result depends on the factors and their order only.
    """
    names = list(factors)
    missing = all_pairs(factors)
    used = {(name, n): 0 for name in names for n in range(len(factors[name]))}
    rows: list[dict[str, Any]] = []
    while missing:
        first, one, second, other = min(missing, key=lambda pair: _order(pair, names))
        row = {first: one, second: other}
        for name in names:
            if name not in row:
                row[name] = min(
                    range(len(factors[name])),
                    key=lambda n, name=name: (
                        -len(pairs_of({**row, name: n}, names) & missing),
                        used[name, n],
                        n,
                    ),
                )
        missing -= pairs_of(row, names)
        for name in names:
            used[name, row[name]] += 1
        rows.append({name: factors[name][row[name]] for name in names})
    return rows


def all_pairs(factors: Mapping[str, Sequence[Any]]) -> set[Pair]:
    return {
        (first, one, second, other)
        for first, second in combinations(factors, 2)
        for one in range(len(factors[first]))
        for other in range(len(factors[second]))
    }


def pairs_of(row: Mapping[str, int], names: Sequence[str]) -> set[Pair]:
    present = [name for name in names if name in row]
    return {(a, row[a], b, row[b]) for a, b in combinations(present, 2)}


def _order(pair: Pair, names: Sequence[str]) -> tuple[int, int, int, int]:
    return (names.index(pair[0]), names.index(pair[2]), pair[1], pair[3])
