"""The wiring of a RandWire stage: drawn once, and then a list of edges."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Protocol

Edge = tuple[int, int]

MOST_TRIES = 1000


class Graph(Protocol):
    """A choice of wiring; `build` gives its edges, once, when the config is made."""

    def build(self) -> "DrawnGraph": ...


@dataclass(frozen=True, kw_only=True)
class DrawnGraph:
    """A graph by its edges, each from a lower to a higher node, which are counted from 0."""

    num_nodes: int
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        for tail, head in self.edges:
            if not 0 <= tail < head < self.num_nodes:
                raise ValueError(
                    "`edges` must lead from a lower to a higher node, all below `num_nodes` "
                    f"{self.num_nodes}; got {tail} to {head}."
                )
        if not self.edges or len(set(self.edges)) != len(self.edges):
            raise ValueError(
                f"`edges` must be there, each once; got {len(self.edges)}, "
                f"{len(set(self.edges))} of them different."
            )
        if not _is_connected(self.num_nodes, set(self.edges)):
            raise ValueError("`edges` must join all nodes into one graph; some stand apart.")

    def build(self) -> "DrawnGraph":
        return self

    def inputs_of(self, node: int) -> list[int]:
        """Give the nodes that a node reads; none for one that reads the stage's input."""
        return [tail for tail, head in self.edges if head == node]

    @property
    def outputs(self) -> list[int]:
        """The nodes that no other reads."""
        tails = {tail for tail, _ in self.edges}
        return [node for node in range(self.num_nodes) if node not in tails]


@dataclass(frozen=True, kw_only=True)
class ErdosRenyi:
    """Each pair of nodes is joined with the same probability (Erdős and Rényi 1959)."""

    num_nodes: int = 32
    probability: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        _check_share("probability", self.probability)
        _check_nodes(self.num_nodes, at_least=2)

    def build(self) -> DrawnGraph:
        return _first_connected(self.num_nodes, self.seed, self._edges)

    def _edges(self, random: Random) -> set[Edge]:
        pairs = ((a, b) for b in range(self.num_nodes) for a in range(b))
        return {pair for pair in pairs if random.random() < self.probability}


@dataclass(frozen=True, kw_only=True)
class BarabasiAlbert:
    """Each new node joins `edges` others, likelier those with many (1999, cond-mat/9910332).

    The first `edges` nodes have none among themselves; the next one joins all of them.
    """

    num_nodes: int = 32
    edges: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        _check_nodes(self.num_nodes, at_least=self.edges + 1)
        if self.edges < 1:
            raise ValueError(f"`edges` a new node must be at least 1; got {self.edges}.")

    def build(self) -> DrawnGraph:
        return _first_connected(self.num_nodes, self.seed, self._edges)

    def _edges(self, random: Random) -> set[Edge]:
        edges: set[Edge] = set()
        ends: list[int] = []
        for node in range(self.edges, self.num_nodes):
            joined: set[int] = set() if ends else set(range(self.edges))
            while len(joined) < self.edges:
                joined.add(ends[int(random.random() * len(ends))])
            for other in sorted(joined):
                edges.add((other, node))
                ends += [other, node]
        return edges


@dataclass(frozen=True, kw_only=True)
class WattsStrogatz:
    """A ring of near neighbours, some edges of which are led elsewhere (1998, Nature 393).

    Each node joins its `neighbours` nearest, half on either side; going round once for each
    distance, the clockwise edge of each node is led to a random other one with probability
    `rewired`.
    """

    num_nodes: int = 32
    neighbours: int = 4
    rewired: float = 0.75
    seed: int = 0

    def __post_init__(self) -> None:
        _check_share("rewired", self.rewired)
        if self.neighbours < 2 or self.neighbours % 2:
            raise ValueError(f"`neighbours` must be even and at least 2; got {self.neighbours}.")
        _check_nodes(self.num_nodes, at_least=self.neighbours + 1)

    def build(self) -> DrawnGraph:
        return _first_connected(self.num_nodes, self.seed, self._edges)

    def _edges(self, random: Random) -> set[Edge]:
        count = self.num_nodes
        distances = range(1, self.neighbours // 2 + 1)
        edges = {_edge(n, (n + far) % count) for far in distances for n in range(count)}
        for far in distances:
            for node in range(count):
                free = [n for n in range(count) if n != node and _edge(node, n) not in edges]
                if random.random() < self.rewired and free:
                    edges.discard(_edge(node, (node + far) % count))
                    edges.add(_edge(node, free[int(random.random() * len(free))]))
        return edges


def _edge(one: int, other: int) -> Edge:
    return (min(one, other), max(one, other))


def _first_connected(
    num_nodes: int, seed: int, draw: Callable[[Random], Iterable[Edge]]
) -> DrawnGraph:
    """Draw until no node stands apart, as the paper does."""
    random = Random(seed)
    for _ in range(MOST_TRIES):
        edges = set(draw(random))
        if _is_connected(num_nodes, edges):
            return DrawnGraph(num_nodes=num_nodes, edges=tuple(sorted(edges)))
    raise ValueError(
        f"None of {MOST_TRIES} graphs of {num_nodes} nodes joined all nodes; ask for more edges."
    )


def _is_connected(num_nodes: int, edges: set[Edge]) -> bool:
    reached, border = {0}, [0]
    while border:
        node = border.pop()
        for edge in edges:
            if node in edge:
                other = edge[0] if edge[1] == node else edge[1]
                if other not in reached:
                    reached.add(other)
                    border.append(other)
    return len(reached) == num_nodes


def _check_nodes(num_nodes: int, *, at_least: int) -> None:
    if num_nodes < at_least:
        raise ValueError(
            f"`num_nodes` must be at least {at_least} for this graph; got {num_nodes}."
        )


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"`{name}` must be between 0 and 1; got {share}.")


GRAPHS = (WattsStrogatz, ErdosRenyi, BarabasiAlbert, DrawnGraph)
