"""The wirings of RandWire: what they are, and that they are drawn once."""

from dataclasses import replace

import pytest
import torch

from pocketdet import build, load_config, recipes
from pocketdet.config_file import save_config
from pocketdet.model import BarabasiAlbert, DrawnGraph, ErdosRenyi, RandWire, WattsStrogatz
from pocketdet.model.config_data import config_from_data
from pocketdet.model.stage import GRAPHS

DRAWERS = [kind for kind in GRAPHS if kind is not DrawnGraph]
every_drawer = pytest.mark.parametrize("kind", DRAWERS, ids=lambda kind: kind.__name__)


@every_drawer
@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_graph_joins_all_nodes_and_has_no_cycle(kind, seed) -> None:
    graph = kind(seed=seed).build()
    assert graph.num_nodes == 32
    assert all(tail < head for tail, head in graph.edges)
    reached = {node for node in range(32) if not graph.inputs_of(node)}
    for node in range(32):
        if any(tail in reached for tail in graph.inputs_of(node)):
            reached.add(node)
    assert reached == set(range(32))
    assert graph.outputs
    assert all(node not in {tail for tail, _ in graph.edges} for node in graph.outputs)


@every_drawer
def test_a_seed_gives_one_graph_and_another_seed_another(kind) -> None:
    assert kind(seed=3).build() == kind(seed=3).build()
    assert kind(seed=3).build() != kind(seed=4).build()


def test_each_kind_has_as_many_edges_as_its_model_says() -> None:
    assert len(WattsStrogatz(seed=1).build().edges) == 32 * 4 // 2
    assert len(BarabasiAlbert(seed=1).build().edges) == (32 - 5) * 5
    counts = [len(ErdosRenyi(seed=seed).build().edges) for seed in range(40)]
    assert sum(counts) / 40 == pytest.approx(0.2 * 32 * 31 / 2, rel=0.1)


def test_nothing_rewired_is_the_ring() -> None:
    graph = WattsStrogatz(num_nodes=6, neighbours=2, rewired=0.0).build()
    assert graph.edges == ((0, 1), (0, 5), (1, 2), (2, 3), (3, 4), (4, 5))


def test_rewiring_is_as_frequent_as_asked() -> None:
    """Of 64 edges of the ring a rewired one comes back by chance about once in ten."""
    ring = set(WattsStrogatz(rewired=0.0).build().edges)
    kept = [len(ring & set(WattsStrogatz(seed=seed).build().edges)) for seed in range(40)]
    assert sum(kept) / 40 / 64 == pytest.approx(0.25 + 0.75 * 0.1, abs=0.05)


def test_many_edges_draw_more_edges_in_barabasi_and_albert() -> None:
    degrees = torch.zeros(32)
    for seed in range(40):
        for edge in BarabasiAlbert(seed=seed).build().edges:
            degrees[list(edge)] += 1 / 40
    assert degrees[5] > 2 * degrees[-1]
    assert degrees[-1] == pytest.approx(5, abs=1e-4)


def test_the_graph_is_drawn_when_the_config_is_made() -> None:
    stage = RandWire(channels=8, graph=WattsStrogatz(num_nodes=8, seed=2))
    assert isinstance(stage.graph, DrawnGraph)
    assert stage == RandWire(channels=8, graph=stage.graph)
    assert replace(stage, channels=16).graph == stage.graph


def test_a_saved_config_has_the_very_graph_and_never_draws_again(tmp_path, monkeypatch) -> None:
    (tmp_path / "drawn.yaml").write_text(
        "base: PELEE_TINY\n"
        "stages:\n"
        "  - {TwoWayDense: {num_layers: 2, growth: 16, stride: 1}}\n"
        "  - {RandWire: {channels: 24, graph: {ErdosRenyi: {num_nodes: 8, seed: 3}}}}\n"
        "  - {RandWire: {channels: 32, graph: {BarabasiAlbert: {num_nodes: 8, edges: 2}}}}\n"
        "  - {RandWire: {channels: 48, graph: {WattsStrogatz: {num_nodes: 8}}}}\n"
    )
    config = load_config(tmp_path / "drawn.yaml")
    assert config.stages[1].graph == ErdosRenyi(num_nodes=8, seed=3).build()
    save_config(config, tmp_path / "saved.yaml")
    text = (tmp_path / "saved.yaml").read_text()
    assert "DrawnGraph" in text
    assert "seed" not in text

    def never(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr("pocketdet.model.stage.random_graph._first_connected", never)
    assert load_config(tmp_path / "saved.yaml").stages[1:] == config.stages[1:]
    assert build(load_config(tmp_path / "saved.yaml"), num_classes=2) is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DrawnGraph(num_nodes=3, edges=((1, 0),)), "from a lower to a higher.*got 1 to 0"),
        (lambda: DrawnGraph(num_nodes=2, edges=((0, 2),)), "below `num_nodes` 2; got 0 to 2"),
        (lambda: DrawnGraph(num_nodes=2, edges=()), "`edges` must be there"),
        (lambda: DrawnGraph(num_nodes=2, edges=((0, 1), (0, 1))), "got 2, 1 of them different"),
        (lambda: DrawnGraph(num_nodes=3, edges=((0, 1),)), "some stand apart"),
        (lambda: ErdosRenyi(probability=1.2), "`probability` must be between 0 and 1; got 1.2"),
        (lambda: ErdosRenyi(probability=0.0).build(), "None of 1000 graphs of 32 nodes"),
        (lambda: ErdosRenyi(num_nodes=1), "`num_nodes` must be at least 2"),
        (lambda: BarabasiAlbert(num_nodes=5), "`num_nodes` must be at least 6"),
        (lambda: BarabasiAlbert(edges=0), "`edges` a new node must be at least 1"),
        (lambda: WattsStrogatz(neighbours=3), "`neighbours` must be even and at least 2; got 3"),
        (lambda: WattsStrogatz(num_nodes=4), "`num_nodes` must be at least 5"),
        (lambda: WattsStrogatz(rewired=-1.0), "`rewired` must be between 0 and 1"),
    ],
)
def test_an_impossible_graph_is_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_wrong_edge_in_a_file_names_its_place() -> None:
    graph = {"DrawnGraph": {"num_nodes": 2, "edges": [[0, 1, 2]]}}
    with pytest.raises(ValueError, match=r"graph.DrawnGraph.edges\[0\]` must have 2 values; got 3"):
        config_from_data({"stages": [{"RandWire": {"channels": 8, "graph": graph}}]})
    with pytest.raises(ValueError, match="Did you mean `WattsStrogatz`"):
        config_from_data({"stages": [{"RandWire": {"channels": 8, "graph": "WattsStrogats"}}]})


def test_the_default_is_the_papers_small_world() -> None:
    assert recipes.PELEE.stages
    assert (
        RandWire(channels=78).graph
        == WattsStrogatz(num_nodes=32, neighbours=4, rewired=0.75, seed=0).build()
    )
