"""Every part with every other kind of part: it builds, trains a step, and exports.

Not the full product (there are millions), but rows in which each choice of each part meets each
choice of each other part once (`pairwise_design`). The first rows run by default, all with `slow`.
"""

from dataclasses import fields, replace
from typing import Any

from backbone_examples import example
from exported import largest_difference, own_movement
from head_examples import SMALL_HEADS
from pairwise_design import all_pairs, covering_rows
import pytest
import torch

from pocketdet.conventions import InputContract
from pocketdet.data.loading.batch import Batch
from pocketdet.model import Detector, DetectorConfig, ExtraConvs, Nearest, NoNeck, build
from pocketdet.model.activation import ACTIVATIONS
from pocketdet.model.attention import ATTENTIONS
from pocketdet.model.conv import CONVS
from pocketdet.model.head import HEADS
from pocketdet.model.neck import NECKS
from pocketdet.model.norm import NORMS
from pocketdet.model.stage import STAGES
from pocketdet.model.stage.random_graph import WattsStrogatz
from pocketdet.model.stem import STEMS
from pocketdet.model.upsample import UPSAMPLES
from pocketdet.train.criterion import criterion_of
from pocketdet.train.optimizer import build_optimizer
from pocketdet.train.settings import TrainSettings

FACTORS: dict[str, tuple[Any, ...]] = {
    "attention": ATTENTIONS,
    "activation": ACTIVATIONS,
    "stage": STAGES,
    "stem": STEMS,
    "conv": CONVS,
    "upsample": UPSAMPLES,
    "norm": NORMS,
    "neck": NECKS,
    "head": HEADS,
    "size": ((64, 64), (71, 96)),
}
ROWS = covering_rows(FACTORS)
BY_DEFAULT = 4
AGREEMENT = 1e-4
"""Untrained norms of single places (L2Norm, LayerNorm) blow up what is nearly zero. Six of the rows
with one differ by 2e-4 to 4e-2: about as far as eager itself moves when the input changes by a
millionth, and no other runtime can be held to less (`own_movement`)."""


def name_of(row: dict[str, Any]) -> str:
    names = [
        getattr(choice, "__name__", "x".join(map(str, row["size"]))) for choice in row.values()
    ]
    return "-".join(names)


def config_of(row: dict[str, Any]) -> DetectorConfig:
    """Make a small detector of one row's choices; `NoNeck` has no place for an upsampling."""
    neck = row["neck"]()
    small = {"channels": 16, "upsample": row["upsample"]()}
    taken = {field.name for field in fields(neck)} & set(small)
    height, width = row["size"]
    return DetectorConfig(
        input=InputContract(height=height, width=width),
        stem=_narrow_stem(row["stem"]),
        stages=tuple(
            example(
                row["stage"],
                num_layers=2,
                channels=16,
                growth=8,
                stride=stride,
                graph=WattsStrogatz(num_nodes=8),
            )
            for stride in (1, 2)
        ),
        levels_from=(0, 1),
        extras=(ExtraConvs(hidden=8, channels=16, norm=row["norm"]()),),
        attention=row["attention"](),
        neck=replace(neck, **{name: small[name] for name in taken}),
        head=SMALL_HEADS[row["head"].__name__],
        norm=row["norm"](),
        activation=row["activation"](),
        conv=row["conv"](),
    )


def _narrow_stem(kind: type) -> Any:
    """Make a stem of 8 channels, or of 8 in each of its layers."""
    stem = kind()
    return replace(stem, channels=8 if isinstance(stem.channels, int) else (8, 8))


def batch_of(size: tuple[int, int]) -> Batch:
    height, width = size
    boxes = torch.tensor([[2, 3, 20, 25], [10, 12, width - 3, height - 5], [5, 30, 14, 38]]).float()
    return Batch(
        images=torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8),
        packed_boxes_xyxy=boxes,
        packed_labels=torch.tensor([0, 2, 1]),
        counts=(2, 1),
        image_ids=["0", "1"],
        indices=[0, 1],
        placements=[],
    )


def train_a_step(detector: Detector, batch: Batch) -> float:
    """Make one step of the optimizer; gives its loss."""
    optimizer = build_optimizer(detector.train(), TrainSettings(learning_rate=1e-3))
    criterion = criterion_of(detector)
    terms = criterion(detector(detector.preprocess(batch.images)), criterion.targets(batch))
    loss = terms.total() / terms.divisor.sum().clamp(min=1)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(detector.parameters(), 10.0)
    optimizer.step()
    return float(loss.detach())


def builds_trains_and_exports(row: dict[str, Any]) -> float:
    """Check one row; gives the largest difference between ONNX Runtime and eager."""
    config = config_of(row)
    detector = build(config, num_classes=3)
    batch = batch_of(row["size"])
    loss = train_a_step(detector, batch)
    assert 0 < loss < 1e4
    assert all(bool(value.isfinite().all()) for value in detector.state_dict().values())
    images = detector.preprocess(batch.images)
    by_tracing = row["upsample"] is not Nearest or row["neck"] is NoNeck
    difference = largest_difference(detector, images, by_tracing=by_tracing)
    assert difference < max(AGREEMENT, 5 * own_movement(detector, images))
    return difference


def test_every_pair_of_choices_is_in_some_row() -> None:
    covered = sum(
        len({(row[first], row[second]) for row in ROWS})
        for number, first in enumerate(FACTORS)
        for second in list(FACTORS)[number + 1 :]
    )
    assert covered == len(all_pairs(FACTORS))
    assert len(ROWS) < 2 * len(ATTENTIONS) * len(ACTIVATIONS)
    assert any(row["neck"] is not NoNeck for row in ROWS[:BY_DEFAULT])


@pytest.mark.parametrize("row", ROWS[:BY_DEFAULT], ids=name_of)
def test_parts_combine(row: dict[str, Any]) -> None:
    builds_trains_and_exports(row)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS[BY_DEFAULT:], ids=name_of)
def test_all_other_parts_combine(row: dict[str, Any]) -> None:
    builds_trains_and_exports(row)
