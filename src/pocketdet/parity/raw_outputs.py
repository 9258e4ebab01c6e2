"""Raw outputs, by name and by level."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class RawComparison:
    """One output, or the rows of one level of it, of B beside that of A.

    - `largest`, `mean`: of the absolute differences; `relative`: root of the mean square of the
      differences over that of A's values; `sqnr_db`: the same as a ratio of powers in decibel;
    - `shapes`: of A and B, where they differ (and then nothing else is known).
    """

    name: str
    level: int | None
    largest: float
    mean: float
    relative: float
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @property
    def sqnr_db(self) -> float:
        return decibel(self.relative)

    def to_data(self) -> dict[str, Any]:
        return {**asdict(self), "sqnr_db": self.sqnr_db}


def compare_raw(
    first: Outputs, second: Outputs, level_rows: Sequence[int] = ()
) -> list[RawComparison]:
    """Compare outputs of the same name; `level_rows` counts each level's rows (axis 1)."""
    found: list[RawComparison] = []
    for name, mine in first.items():
        if name not in second:
            continue
        other = second[name]
        if mine.shape != other.shape:
            shapes = (mine.shape, other.shape)
            found.append(
                RawComparison(
                    name=name,
                    level=None,
                    largest=np.inf,
                    mean=np.inf,
                    relative=np.inf,
                    shapes=shapes,
                )
            )
            continue
        found.append(_compared(name, None, mine, other))
        if sum(level_rows) == mine.shape[1]:
            found += list(_by_level(name, mine, other, level_rows))
    return found


def permuted_classes(mine: NDArray[Any], other: NDArray[Any]) -> list[int] | None:
    """Give, for outputs (b, p, c), which column of A each column of B is; None if not so."""
    if mine.shape != other.shape:
        return None
    first, second = (values.reshape(-1, values.shape[-1]) for values in (mine, other))
    gaps = np.array([[np.abs(a - b).max() for a in first.T] for b in second.T])
    best = [int(place) for place in gaps.argmin(axis=1)]
    exact = gaps.min(axis=1).max() < 1e-2 * np.abs(first).max()
    is_other = sorted(best) == list(range(len(best))) and best != sorted(best)
    return best if exact and is_other else None


def relative_error(mine: NDArray[Any], other: NDArray[Any]) -> float:
    """Give the root mean square of the difference over that of A's values."""
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.sqrt(np.mean(np.square(other.astype(np.float64) - mine)))
        size = np.sqrt(np.mean(np.square(mine.astype(np.float64))))
    if not np.isfinite(gap):
        return float("inf")
    return float(gap / max(size, 1e-30)) if gap else 0.0


def decibel(relative: float) -> float:
    """Turn a relative error into a ratio of signal to noise, at most 200 dB."""
    return float(np.clip(-20 * np.log10(max(relative, 1e-10)), -200, 200))


def _by_level(
    name: str, mine: NDArray[Any], other: NDArray[Any], rows: Sequence[int]
) -> Iterator[RawComparison]:
    start = 0
    for level, count in enumerate(rows):
        part = slice(start, start + count)
        yield _compared(name, level, mine[:, part], other[:, part])
        start += count


def _compared(
    name: str, level: int | None, mine: NDArray[Any], other: NDArray[Any]
) -> RawComparison:
    with np.errstate(invalid="ignore"):
        gaps = np.abs(mine.astype(np.float64) - other)
    return RawComparison(
        name=name,
        level=level,
        largest=float(gaps.max()),
        mean=float(gaps.mean()),
        relative=relative_error(mine, other),
    )
