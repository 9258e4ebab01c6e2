"""Every convolution, normalisation and activation, wherever a part asks for a convolution."""

from dataclasses import replace

from backbone_examples import example, name_of
from part_properties import (
    assert_gradient_reaches_every_parameter,
    assert_images_do_not_mix,
    assert_input_is_left_alone,
    halved,
)
import pytest
import torch

from pocketdet import build, load_config, recipes
from pocketdet.config_file import save_config
from pocketdet.model import (
    BatchNorm,
    ExtraConvs,
    Layers,
    ReLU,
    SeparableConv,
    StandardConv,
    TwoWayDense,
)
from pocketdet.model.activation import ACTIVATIONS
from pocketdet.model.config_data import config_from_data
from pocketdet.model.conv import CONVS
from pocketdet.model.cost import count_parameters
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.norm import NORMS

FIELDS = [
    *(("conv", kind) for kind in CONVS),
    *(("norm", kind) for kind in NORMS),
    *(("activation", kind) for kind in ACTIVATIONS),
]
every_choice = pytest.mark.parametrize(("field", "kind"), FIELDS, ids=name_of)


def layers_with(field: str, kind: type) -> Layers:
    name = "convolution" if field == "conv" else field
    return Layers(**{name: example(kind)})


def blocks_of(layers: Layers) -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {
        "conv": layers.conv(8, 12, 3),
        "linear": layers.linear_conv(8, 12, 3, stride=2),
        "depthwise": layers.depthwise_conv(8, 5),
        "preactivated": layers.preactivated_conv(8, 12, 3),
    }


@every_choice
def test_gradient_reaches_every_parameter(field, kind) -> None:
    for part in blocks_of(layers_with(field, kind)).values():
        assert_gradient_reaches_every_parameter(part, torch.randn(3, 8, 9, 7))


@every_choice
def test_images_do_not_mix_in_evaluation(field, kind) -> None:
    for part in blocks_of(layers_with(field, kind)).values():
        assert_images_do_not_mix(part, torch.randn(3, 8, 9, 7))


@every_choice
def test_the_input_is_left_alone(field, kind) -> None:
    for part in blocks_of(layers_with(field, kind)).values():
        assert_input_is_left_alone(part, torch.randn(3, 8, 9, 7))


@every_choice
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (19, 10), (9, 16)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_gives_the_declared_size(field, kind, size, kernel_size, stride) -> None:
    layers = layers_with(field, kind)
    given = torch.randn(2, 6, *size)
    for make in (layers.conv, layers.linear_conv):
        result = make(6, 10, kernel_size, stride=stride).eval()(given)
        times = stride - 1
        assert result.shape == (2, 10, halved(size[0], times=times), halved(size[1], times=times))


@every_choice
def test_an_unpadded_convolution_takes_its_border_off(field, kind) -> None:
    block = layers_with(field, kind).conv(6, 10, 3, padding=0).eval()
    assert block(torch.randn(2, 6, 9, 5)).shape == (2, 10, 7, 3)


@every_choice
def test_a_detector_with_it_builds_and_survives_the_way_through_a_file(
    field, kind, tmp_path
) -> None:
    config = replace(recipes.PELEE_TINY, **{field: example(kind)})
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert config_from_data({field: kind.__name__}, base=recipes.PELEE_TINY) == config
    detector = build(config, num_classes=2).eval()
    with torch.no_grad():
        assert bool(detector(torch.randn(1, 3, 160, 192)).class_logits.isfinite().all())


@every_choice
def test_a_misspelt_name_is_answered_with_the_nearest(field, kind) -> None:
    wrong = kind.__name__[:-1] + "_" + kind.__name__[-1]
    with pytest.raises(
        ValueError, match=f"`{wrong}` is no choice for `{field}`.*`{kind.__name__}`"
    ):
        config_from_data({field: wrong})


@every_choice
def test_a_folded_detector_says_the_same(field, kind) -> None:
    torch.manual_seed(0)
    layers = layers_with(field, kind)
    network = torch.nn.Sequential(layers.conv(8, 8, 3), layers.preactivated_conv(8, 8, 3))
    for _ in range(3):
        network(torch.randn(4, 8, 9, 7))
    given = torch.randn(2, 8, 9, 7)
    with torch.no_grad():
        assert torch.allclose(fold_batch_norm(network)(given), network.eval()(given), atol=1e-4)


def test_the_defaults_are_pelees_own() -> None:
    assert Layers() == Layers(norm=BatchNorm(), activation=ReLU(), convolution=StandardConv())


def test_the_detectors_convolution_reaches_stages_and_extras_but_not_the_stem() -> None:
    plain = build(recipes.PELEE_TINY, num_classes=2)
    separable = build(replace(recipes.PELEE_TINY, conv=SeparableConv()), num_classes=2)
    assert count_parameters(separable.stem) == count_parameters(plain.stem)
    for part in ("stages", "extras", "head"):
        changed, before = separable.get_submodule(part), plain.get_submodule(part)
        assert count_parameters(changed) < count_parameters(before), part


def test_a_part_chooses_its_own_convolution_for_itself_alone() -> None:
    own = replace(recipes.PELEE_TINY.stages[1], conv=SeparableConv())
    stages = (recipes.PELEE_TINY.stages[0], own, *recipes.PELEE_TINY.stages[2:])
    plain = build(recipes.PELEE_TINY, num_classes=2)
    altered = build(replace(recipes.PELEE_TINY, stages=stages), num_classes=2)
    sizes = [
        (count_parameters(a), count_parameters(b))
        for a, b in zip(altered.stages, plain.stages, strict=True)
    ]
    assert [a < b for a, b in sizes] == [False, True, False, False]


def test_a_parts_own_convolution_wins_over_the_detectors() -> None:
    layers = Layers(convolution=SeparableConv())
    for part in (
        TwoWayDense(num_layers=1, conv=StandardConv()),
        ExtraConvs(hidden=8, channels=8, conv=StandardConv()),
    ):
        chosen, plain = part.build(16, layers), replace(part, conv=None).build(16, Layers())
        assert count_parameters(chosen) == count_parameters(plain)


def test_a_parts_convolution_is_one_line_of_a_config_file(tmp_path) -> None:
    path = tmp_path / "altered.yaml"
    path.write_text(
        "base: PELEE_TINY\n"
        "extras: [{ExtraConvs: {hidden: 48, channels: 96, conv: {GhostConv: {ratio: 3}}}}]\n"
    )
    loaded = load_config(path)
    assert loaded.extras[0].conv.ratio == 3
    path.write_text(
        "base: PELEE_TINY\nextras: [{ExtraConvs: {hidden: 48, channels: 96, conv: null}}]\n"
    )
    assert load_config(path).extras[0].conv is None
    with pytest.raises(
        ValueError, match=r"`extras\[0\].ExtraConvs.conv`.*Did you mean `GhostConv`"
    ):
        config_from_data(
            {"extras": [{"ExtraConvs": {"hidden": 4, "channels": 4, "conv": "Ghost"}}]}
        )
