"""Weights go to the same module, wherever it now stands, and nowhere else."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from pocketdet import build, recipes
from pocketdet.conventions import InputContract
from pocketdet.edit import carry, carry_from, plan_transfer
from pocketdet.edit.fate_rows import fate_rows, transfer_text
from pocketdet.edit.transfer import CARRIED
from pocketdet.model import (
    CBAM,
    PAN,
    SE,
    BatchNorm,
    DetectorConfig,
    InvertedResidual,
    PlacedAttention,
    TopDown,
)
from pocketdet.model.priors import prior_ladder
from pocketdet.model.saved_detector import detector_to_data

TINY = replace(recipes.PELEE_TINY, input=InputContract(height=96, width=64))


def trained(config: DetectorConfig, *, num_classes: int = 3):
    """A detector whose every tensor is unlike any fresh one, statistics included."""
    detector = build(config, num_classes=num_classes)
    for value in detector.state_dict().values():
        if value.is_floating_point():
            value.mul_(1 + torch.rand_like(value) * 0.2).add_(torch.rand_like(value) * 0.02)
    return detector


def assert_carried_exactly(base, altered, plan) -> None:
    before, after = base.state_dict(), altered.state_dict()
    for tensor in plan.tensors:
        if tensor.fate in CARRIED:
            assert torch.equal(after[tensor.name], before[tensor.source]), tensor
        else:
            assert tensor.source is None or after[tensor.name].shape != before[tensor.source].shape


def same_outputs(base, altered) -> bool:
    images = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        one, two = base.eval()(images), altered.eval()(images)
    return torch.equal(one.class_logits, two.class_logits) and torch.equal(
        one.box_deltas, two.box_deltas
    )


def fates(plan) -> dict[str, str]:
    return {tensor.name: tensor.fate for tensor in plan.tensors}


def test_the_same_structure_is_carried_whole() -> None:
    base, altered = trained(TINY), build(TINY, num_classes=3)
    plan = carry(base, altered)
    assert plan.share == 1.0
    assert set(fates(plan).values()) == {"carried"}
    assert plan.left_behind == ()
    assert same_outputs(base, altered)


def test_cbam_that_starts_as_the_identity_leaves_every_output_as_it_was() -> None:
    base = trained(TINY)
    placed = PlacedAttention(block=CBAM(), after=("stages", "head"), start="identity")
    altered = build(replace(TINY, attention=(placed,)), num_classes=3)
    assert not same_outputs(base, altered)
    plan = carry(base, altered)
    assert {tensor.name.split(".")[0] for tensor in plan.tensors if tensor.fate == "new"} == {
        "attention"
    }
    assert plan.num_carried == plan.base_parameters
    assert same_outputs(base, altered)


def test_cbam_with_a_random_start_changes_the_outputs() -> None:
    """The twin of the test above: it can fail."""
    base, altered = trained(TINY), build(replace(TINY, attention=CBAM()), num_classes=3)
    carry(base, altered)
    assert not same_outputs(base, altered)


def test_an_inserted_stage_shifts_nothing() -> None:
    base = trained(TINY)
    new = InvertedResidual(num_layers=1, channels=96, stride=1, start="identity")
    stages = (*TINY.stages[:2], new, *TINY.stages[2:])
    channels = build(TINY, num_classes=3).levels(torch.zeros(1, 3, 96, 64))[0].shape[1]
    stages = tuple(replace(s, channels=channels) if s is new else s for s in stages)
    altered = build(replace(TINY, stages=stages, levels_from=(1, 3, 4)), num_classes=3)
    plan = carry(base, altered)
    assert plan.num_carried == plan.base_parameters
    assert_carried_exactly(base, altered, plan)
    found = fates(plan)
    assert {f for name, f in found.items() if name.startswith("stages.2.")} == {"new"}
    assert {f for name, f in found.items() if name.startswith("stages.3.")} == {"renamed"}
    assert {f for name, f in found.items() if name.startswith("head.")} == {"carried"}
    assert same_outputs(base, altered)


def test_a_new_finest_level_shifts_no_predictor() -> None:
    """All predictors of a kind have one shape: which is which shows in the maps that they read."""
    priors = prior_ladder((0, 1, 2, 3), (0.06, 0.18, 0.43, 0.66, 1.0))
    head = replace(TINY.head, priors=prior_ladder((0, 1, 2), (0.18, 0.43, 0.66, 1.0)))
    base_config = replace(TINY, levels_from=(2, 3), head=head)
    altered_config = replace(TINY, head=replace(TINY.head, priors=priors))
    base, altered = trained(base_config), build(altered_config, num_classes=3)
    plan = carry(base, altered)
    assert_carried_exactly(base, altered, plan)
    assert plan.num_carried == plan.base_parameters
    source = {tensor.name: tensor.source for tensor in plan.tensors}
    assert source["head.class_convs.0.weight"] is None
    assert source["head.class_convs.1.weight"] == "head.class_convs.0.weight"
    assert source["head.box_convs.3.bias"] == "head.box_convs.2.bias"
    assert source["head.blocks.2.shortcut.0.weight"] == "head.blocks.1.shortcut.0.weight"


def test_an_attention_that_moved_is_taken_along() -> None:
    def config(place: str, start: str) -> DetectorConfig:
        choice = PlacedAttention(block=CBAM(), after=(place,), start=start)
        return replace(TINY, neck=TopDown(channels=32), attention=(choice,))

    base = trained(config("neck.p4", "random"))
    altered = build(config("neck.p5", "identity"), num_classes=3)
    plan = carry(base, altered)
    assert_carried_exactly(base, altered, plan)
    found = fates(plan)
    gates = [name for name in found if name.startswith("attention.neck_p5.block.")]
    assert gates
    assert {found[name] for name in gates} == {"moved"}
    assert found["attention.neck_p5.alpha"] == "new"
    assert plan.left_behind == ()


def test_a_pyramid_inside_path_aggregation_is_taken_along() -> None:
    base = trained(replace(TINY, neck=TopDown(channels=32)))
    altered = build(replace(TINY, neck=PAN(channels=32)), num_classes=3)
    plan = carry(base, altered)
    rows = {row.where: row for row in fate_rows(plan)}
    assert (rows["neck.top_down"].fate, rows["neck.top_down"].note) == ("moved", "was neck")
    assert rows["neck.down"].fate == rows["neck.join"].fate == "new"
    assert_carried_exactly(base, altered, plan)


def test_other_numbers_of_classes_cost_only_what_predicts_classes() -> None:
    base, altered = trained(TINY, num_classes=3), build(TINY, num_classes=5)
    plan = carry(base, altered)
    lost = {t.name.split(".")[1] for t in plan.tensors if t.fate not in CARRIED}
    assert lost == {"class_convs"}
    assert {t.fate for t in plan.tensors if t.fate not in CARRIED} == {"reshaped"}
    assert "3 classes and this detector has 5" in plan.notes[0]


def test_another_class_at_the_same_place_is_said_to_be_one() -> None:
    base = trained(replace(TINY, attention=SE()))
    plan = plan_transfer(
        base, build(replace(TINY, attention=CBAM(gates=("spatial",))), num_classes=3)
    )
    assert {f for n, f in fates(plan).items() if n.startswith("attention.")} == {"new"}
    base = trained(replace(TINY, norm=BatchNorm()))
    altered = build(replace(TINY, attention=OwnGate()), num_classes=3)
    assert plan_transfer(base, altered).num_carried == plan_transfer(base, base).num_carried


@dataclass(frozen=True, kw_only=True)
class OwnGate:
    """A part of a user's own, whose convolution has the shape of one of the base's."""

    def build(self, channels: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid())


def test_a_module_is_used_once() -> None:
    base = trained(TINY)
    altered = build(replace(TINY, neck=TopDown(channels=96)), num_classes=3)
    plan = carry(base, altered)
    sources = [tensor.source for tensor in plan.tensors if tensor.fate in CARRIED]
    assert len(sources) == len(set(sources))
    assert_carried_exactly(base, altered, plan)


def test_carrying_less_than_the_structure_allows_is_an_error() -> None:
    base, altered = trained(TINY), build(TINY, num_classes=3)
    plan = plan_transfer(base, altered)
    less = replace(plan, tensors=(replace(plan.tensors[0], fate="new"), *plan.tensors[1:]))
    before = {name: value.clone() for name, value in altered.state_dict().items()}
    with pytest.raises(ValueError, match=r"`plan` carries .* and the structures allow"):
        carry(base, altered, less)
    assert all(torch.equal(value, before[name]) for name, value in altered.state_dict().items())


def test_a_checkpoint_is_carried_over_as_its_detector_is(tmp_path) -> None:
    base = trained(TINY)
    torch.save(detector_to_data(base), tmp_path / "best.pt")
    altered = build(TINY, num_classes=3)
    assert carry_from(tmp_path, altered).share == 1.0
    assert same_outputs(base, altered)


def test_the_text_gives_the_share_and_a_reason_for_the_rest() -> None:
    base = trained(TINY)
    plan = carry(base, build(replace(TINY, neck=TopDown(channels=32)), num_classes=3))
    text = transfer_text(plan)
    assert f"({plan.share:.1%}), all that the structures allow" in text
    assert "new (not carried: the base has no such module)" in text
    assert "    neck  " in text
    assert "head.blocks.0.shortcut.0" in text
    shown = sum(row.num_values for row in fate_rows(plan))
    assert shown == plan.num_parameters
