"""Decide which results of a network are held on a grid, so that kernels between them are integer.

An integer kernel needs its inputs and its output on grids. So:

- a convolution or matrix product has its input and its output on one, the output behind its
  ReLU, which such kernels take in;
- what joins or moves maps (sums, products, concatenations, means, gates) has one where a kernel
  behind it needs it. Each input of a concatenation keeps its own grid and is brought to that of the
  result, so that a narrow input is not rounded by a wide one's steps;
- what only picks or moves values (maxima, slices, nearest neighbours, zero borders) stays on its
  input's grid, exactly;
- everything else (norms that could not be folded, L2 norms, softmax, bicubic resizing, attention's
  matrix products, transposed convolutions) computes in float between grids.

The network's outputs come from convolutions with a grid each, one for every level and kind, and are
joined in float: scores and boxes never share a scale. A convolution that predicts both at once
keeps its output in float.
"""

from collections.abc import Set
from dataclasses import dataclass, replace

from pocketdet.model.quantized.recorder import INPUT, Record

KERNELS = ("conv", "linear")
"""Operations with weights that have integer kernels."""

WEIGHTED = (*KERNELS, "deconv")
"""Operations whose weights are held on grids or in codebooks."""

JOINS = ("cat", "add", "mul", "avg_pool2d", "adaptive_avg_pool2d", "sigmoid", "leaky_relu", "mean")
"""Operations that runtimes have integer kernels for where all around them is on grids."""

SAME_GRID = (
    *("max_pool2d", "amax", "nearest", "pad", "clone", "contiguous", "expand", "pixel_shuffle"),
    *("slice", "chunk", "split", "unbind", "reshape", "view", "flatten", "unflatten"),
    *("permute", "transpose", "unsqueeze", "squeeze"),
)
"""Operations whose results are values of their input, or 0."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What an operation does in the quantised network.

    - `name`, `kind`: the operation's;
    - `grid`: the name of the grid that its result is brought to, if any;
    - `input_grid`: the name of the grid that its first input is on, if any;
    - `weights`: the module whose weights it reads, if they are held on a grid.
    """

    name: str
    kind: str
    grid: str | None
    input_grid: str | None
    weights: str | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All operations in their order, and whether the network's input is on a grid."""

    placements: tuple[Placement, ...]
    input_grid: str | None

    @property
    def grids(self) -> tuple[str, ...]:
        """Name every grid once, in order."""
        named = [self.input_grid, *(placement.grid for placement in self.placements)]
        return tuple(dict.fromkeys(name for name in named if name is not None))

    @property
    def kernels(self) -> tuple[str, ...]:
        """Name the modules with weights on a grid, in order."""
        named = (placement.weights for placement in self.placements)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def weights_only(self) -> "Plan":
        """Give the same plan with every map in float."""
        placements = (replace(p, grid=None, input_grid=None) for p in self.placements)
        return Plan(placements=tuple(placements), input_grid=None)


INPUT_GRID = "input"


def make_plan(record: Record, *, floats: Set[str] = frozenset()) -> Plan:
    """Give every operation its grid; the modules named in `floats` compute in float."""
    return _Planner(record, floats).plan()


class _Planner:
    def __init__(self, record: Record, floats: Set[str]) -> None:
        self.operations = record.operations
        self.outputs = record.outputs
        self.readers = record.readers()
        self.floats = floats
        self.needed = self._needed()
        self.grid_of: dict[int, str | None] = {}

    def plan(self) -> Plan:
        self.grid_of[INPUT] = INPUT_GRID if self._is_input_needed() else None
        mixed = self._mixed()
        for place, operation in enumerate(self.operations):
            first = self.grid_of.get(operation.reads[0]) if operation.reads else None
            if operation.kind in SAME_GRID and first is not None and self.needed[place]:
                self.grid_of[place] = first
            elif self._wants_grid(place) and place not in mixed:
                self.grid_of[place] = operation.name
            else:
                self.grid_of[place] = None
        return Plan(
            placements=tuple(self._placement(place) for place in range(len(self.operations))),
            input_grid=self.grid_of[INPUT],
        )

    def _placement(self, place: int) -> Placement:
        operation = self.operations[place]
        has_weights = operation.kind in WEIGHTED and operation.module not in self.floats
        return Placement(
            name=operation.name,
            kind=operation.kind,
            grid=self.grid_of[place],
            input_grid=self.grid_of.get(operation.reads[0]) if operation.reads else None,
            weights=operation.module if has_weights else None,
        )

    def is_kernel(self, place: int) -> bool:
        operation = self.operations[place]
        return operation.kind in KERNELS and operation.module not in self.floats

    def _needed(self) -> list[bool]:
        """Say of each result whether an integer kernel behind it needs it on a grid."""
        needed = [False] * len(self.operations)
        for place in reversed(range(len(self.operations))):
            needed[place] = any(
                self.is_kernel(reader)
                or (needed[reader] and self.operations[reader].kind in (*JOINS, *SAME_GRID))
                for reader in self.readers[place]
            )
        return needed

    def _is_input_needed(self) -> bool:
        return any(
            INPUT in operation.reads
            and (
                self.is_kernel(place)
                or (self.needed[place] and operation.kind in (*JOINS, *SAME_GRID))
            )
            for place, operation in enumerate(self.operations)
        )

    def _wants_grid(self, place: int) -> bool:
        readers = self.readers[place]
        if len(readers) == 1 and self.operations[readers[0]].kind == "relu":
            return False  # The kernel takes the ReLU in, so that the grid is behind it.
        if self.needed[place] or self.is_kernel(place):
            return True
        operation = self.operations[place]
        return operation.kind == "relu" and any(
            source != INPUT and self.is_kernel(source) for source in operation.reads
        )

    def _mixed(self) -> set[int]:
        """Find kernels whose results are, without another kernel between, in two outputs."""
        reached: list[set[int]] = [set() for _ in self.operations]
        for number, place in enumerate(self.outputs):
            if place is not None and place != INPUT:
                reached[place].add(number)
        mixed: set[int] = set()
        for place in reversed(range(len(self.operations))):
            for reader in self.readers[place]:
                if not self.is_kernel(reader):
                    reached[place] |= reached[reader]
            if len(reached[place]) > 1 and not self.needed[place]:
                mixed.add(place)
        return mixed
