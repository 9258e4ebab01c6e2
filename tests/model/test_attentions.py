"""What has to hold for every attention, and for its place in a detector."""

from dataclasses import replace

from part_properties import (
    assert_gradient_reaches_every_parameter,
    assert_images_do_not_mix,
    assert_input_is_left_alone,
)
import pytest
import torch
from torch import nn

from pocketdet import build, load_config, recipes
from pocketdet.conventions import InputContract
from pocketdet.model import CBAM, ECA, SE, DetectorConfig, PlacedAttention, TopDown
from pocketdet.model.attention import ATTENTIONS, NoAttention
from pocketdet.model.config_data import config_from_data, config_to_data

TINY = replace(recipes.PELEE_TINY, input=InputContract(height=96, width=64))
each_attention = pytest.mark.parametrize("kind", ATTENTIONS, ids=lambda kind: kind.__name__)


def moved(block: nn.Module) -> nn.Module:
    """A block whose zero starts are behind it."""
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return block


@each_attention
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 3), (38, 38)])
@torch.no_grad()
def test_every_map_keeps_its_shape_and_stays_finite(kind, size) -> None:
    result = moved(kind().build(24))(torch.randn(2, 24, *size))
    assert result.shape == (2, 24, *size)
    assert result.isfinite().all()


@pytest.mark.parametrize("kind", ATTENTIONS[1:], ids=lambda kind: kind.__name__)
def test_a_gradient_reaches_every_parameter(kind) -> None:
    given = torch.randn(3, 24, 6, 5, requires_grad=True)
    assert_gradient_reaches_every_parameter(moved(kind().build(24)), given)
    assert (given.grad != 0).any()


@each_attention
def test_images_do_not_mix_and_the_input_stays(kind) -> None:
    block, given = moved(kind().build(24)), torch.randn(3, 24, 6, 5)
    assert_images_do_not_mix(block, given)
    assert_input_is_left_alone(block, given)


@pytest.mark.parametrize("kind", ATTENTIONS[1:], ids=lambda kind: kind.__name__)
@torch.no_grad()
def test_every_attention_does_something_that_depends_on_the_input(kind) -> None:
    """A gate that is constant (a softmax over one) or the identity would pass all else."""
    block = moved(kind().build(24)).eval()
    given = torch.randn(2, 24, 6, 5)
    ratio = block(given) / given
    assert (ratio[0] - ratio[1]).abs().max() > 1e-4
    assert not torch.allclose(block(given), given, atol=1e-4)


@each_attention
def test_identity_start_is_exact_and_can_be_trained(kind) -> None:
    block = PlacedAttention(block=kind(), start="identity").build(64)
    given = torch.randn(3, 64, 6, 5)
    assert torch.equal(block.train()(given), given)
    assert torch.equal(block.eval()(given), given)
    if kind is NoAttention:
        return
    before = {name: p.detach().clone() for name, p in block.named_parameters()}
    optimizer = torch.optim.SGD(block.train().parameters(), lr=0.5)
    for _ in range(4):
        optimizer.zero_grad()
        (block(given) * torch.linspace(-1, 2, 64)[:, None, None]).square().sum().backward()
        nn.utils.clip_grad_norm_(block.parameters(), 1.0)
        optimizer.step()
    still = [name for name, p in block.named_parameters() if torch.equal(p, before[name])]
    assert still == []


def with_attention(*choices: PlacedAttention, base: DetectorConfig = TINY) -> DetectorConfig:
    return replace(base, attention=choices)


def test_a_single_attention_stands_behind_every_stage() -> None:
    detector = build(replace(TINY, attention=SE()), num_classes=2)
    assert list(detector.attention) == ["stage1", "stage2", "stage3", "stage4"]


def test_attentions_stand_where_they_are_told_to() -> None:
    config = with_attention(
        PlacedAttention(block=CBAM(), after=("stage3", "neck.p4", "extra1")),
        PlacedAttention(block=SE(), after=("head", "stem")),
    )
    detector = build(config, num_classes=2)
    order: list[str] = []
    for name, module in detector.named_modules():
        if name.startswith("attention.") and name.count(".") == 1:
            module.register_forward_hook(lambda *_, name=name: order.append(name.split(".")[1]))
    detector.eval()(torch.zeros(1, 3, 96, 64))
    in_the_neck = ["neck_p3", "neck_p4", "neck_p5", "neck_p6"]
    assert order == ["stem", "stage3", "extra1", *in_the_neck]
    first, second = detector.attention["neck_p4"]
    assert type(first[0]).__name__ == "_ChannelGate"
    assert type(second).__name__ == "_SqueezeExcite"


@torch.no_grad()
def test_attention_in_the_neck_weighs_what_the_head_reads() -> None:
    torch.manual_seed(0)
    plain = build(replace(TINY, neck=TopDown(channels=16)), num_classes=2).eval()
    config = with_attention(
        PlacedAttention(block=SE(), after=("neck.p4",)),
        base=replace(TINY, neck=TopDown(channels=16)),
    )
    altered = build(config, num_classes=2).eval()
    gates = altered.attention.state_dict(prefix="attention.")
    altered.load_state_dict({**plain.state_dict(), **gates})
    images = torch.randn(1, 3, 96, 64)
    seen: dict[str, list[torch.Tensor]] = {}
    for name, detector in (("plain", plain), ("altered", altered)):
        detector.head.register_forward_pre_hook(
            lambda _, given, name=name: seen.__setitem__(name, given[0])
        )
        detector(images)
    same = [torch.equal(a, b) for a, b in zip(seen["plain"], seen["altered"], strict=True)]
    assert same == [True, False, True, True]
    assert torch.equal(altered.attention["neck_p4"](seen["plain"][1]), seen["altered"][1])


def test_pelees_levels_are_named_by_their_strides() -> None:
    detector = build(recipes.PELEE, num_classes=2)
    assert detector.level_names == ("neck.p4", "neck.p5", "neck.p6", "neck.p7", "neck.p8")


def test_a_list_of_placed_attentions_is_read_from_a_file_and_written_back(tmp_path) -> None:
    path = tmp_path / "altered.yaml"
    path.write_text(
        """
base: PELEE_TINY
attention:
  - {block: {CBAM: {gates: [spatial]}}, after: [stage3, neck.p4], start: identity}
  - {block: ECA}
"""
    )
    config = load_config(path)
    assert config.attention == (
        PlacedAttention(
            block=CBAM(gates=("spatial",)), after=("stage3", "neck.p4"), start="identity"
        ),
        PlacedAttention(block=ECA()),
    )
    assert config_from_data(config_to_data(config)) == config


@each_attention
def test_every_attention_survives_the_way_through_plain_data(kind) -> None:
    for attention in (kind(), (PlacedAttention(block=kind(), after=("stem",)),)):
        config = replace(TINY, attention=attention)
        assert config_from_data(config_to_data(config)) == config


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ("stage5", r"`stage5` is no place for `attention.after`; there are stem, stage1.*stage"),
        ("neck.p2", r"there are .*neck.p3, .*Did you mean `neck.p"),
        ("haed", r"Did you mean `head`"),
    ],
)
def test_a_place_that_there_is_not_is_refused_with_the_nearest(after: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(with_attention(PlacedAttention(block=SE(), after=(after,))), num_classes=2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CBAM(gates=()), "`gates` must name"),
        (lambda: CBAM(gates=("spatial", "spatial")), "each once"),
        (lambda: CBAM(kernel_size=4), "must be odd"),
        (lambda: ECA(kernel_size=2), "must be odd"),
        (lambda: SE(reduction=0).build(8), "`reduction` must be at least 1"),
        (lambda: PlacedAttention(block=SE(), after=()), "at least one place"),
        (lambda: PlacedAttention(block=SE(), start="zero"), "random or identity"),
    ],
)
def test_an_impossible_attention_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
