"""Every choice of one backbone part with every choice of each other: a covering of all pairs."""

from dataclasses import dataclass, replace
from itertools import combinations, product
from random import Random
from typing import Any

from backbone_examples import example
import pytest
import torch

from pocketdet import build, recipes
from pocketdet.conventions import InputContract
from pocketdet.model import DetectorConfig, WattsStrogatz, scaled
from pocketdet.model.activation import ACTIVATIONS
from pocketdet.model.conv import CONVS
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.norm import NORMS
from pocketdet.model.stage import STAGES
from pocketdet.model.stem import STEMS

FIELDS: dict[str, tuple[type, ...]] = {
    "stem": STEMS,
    "stage": STAGES,
    "conv": CONVS,
    "norm": NORMS,
    "activation": ACTIVATIONS,
}
SIZES = ((64, 64), (75, 101))


@dataclass(frozen=True)
class Row:
    kinds: tuple[type, ...]

    def __str__(self) -> str:
        return "-".join(kind.__name__ for kind in self.kinds)


def covering(choices: tuple[tuple[type, ...], ...]) -> list[Row]:
    """Add rows, each the best of some random ones, until every pair of choices has met."""
    random = Random(0)
    columns = list(combinations(range(len(choices)), 2))
    open_pairs = {(a, b, x, y) for a, b in columns for x, y in product(choices[a], choices[b])}
    rows: list[Row] = []
    while open_pairs:
        a, b, x, y = min(open_pairs, key=str)
        tried = []
        for _ in range(40):
            kinds = [random.choice(column) for column in choices]
            kinds[a], kinds[b] = x, y
            met = {(c, d, kinds[c], kinds[d]) for c, d in columns} & open_pairs
            tried.append((len(met), str(kinds), kinds, met))
        _, _, kinds, met = max(tried, key=lambda one: one[:2])
        open_pairs -= met
        rows.append(Row(tuple(kinds)))
    return rows


ROWS = covering(tuple(FIELDS.values()))


def config_of(row: Row, size: tuple[int, int]) -> DetectorConfig:
    chosen: dict[str, Any] = dict(zip(FIELDS, row.kinds, strict=True))
    stage = chosen.pop("stage")
    own = {"graph": WattsStrogatz(num_nodes=5)} if "graph" in stage.__dataclass_fields__ else {}
    base = scaled(recipes.PELEE_TINY, width=0.5, depth=0.4)
    return replace(
        base,
        input=InputContract(height=size[0], width=size[1]),
        stages=(*base.stages[:2], example(stage, **own), base.stages[3]),
        **{field: example(kind) for field, kind in chosen.items()},
    )


def test_the_rows_cover_every_pair_of_choices() -> None:
    for a, b in combinations(range(len(FIELDS)), 2):
        columns = tuple(FIELDS.values())
        assert {(row.kinds[a], row.kinds[b]) for row in ROWS} == set(
            product(columns[a], columns[b])
        )


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_combination_trains_a_step_stays_finite_and_folds(row) -> None:
    torch.manual_seed(0)
    size = SIZES[ROWS.index(row) % 2]
    detector = build(config_of(row, size), num_classes=2)
    images = torch.randn(2, 3, *size)
    optimizer = torch.optim.SGD(detector.parameters(), lr=0.01)
    predicted = detector(images)
    (predicted.class_logits.square().mean() + predicted.box_deltas.abs().mean()).backward()
    assert all(parameter.grad is not None for parameter in detector.parameters())
    optimizer.step()
    with torch.no_grad():
        after = detector.eval()(images)
        folded = fold_batch_norm(detector)(images)
    assert bool(after.class_logits.isfinite().all())
    assert bool(after.box_deltas.isfinite().all())
    assert torch.allclose(folded.class_logits, after.class_logits, atol=1e-4)
    assert torch.allclose(folded.box_deltas, after.box_deltas, atol=1e-4)
