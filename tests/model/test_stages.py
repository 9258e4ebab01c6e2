"""What holds for every stage."""

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
    CSPDense,
    DenseStage,
    Ghost,
    InvertedResidual,
    Layers,
    NoNorm,
    RandWire,
    RepVGG,
    SeparableConv,
    TwoWayDense,
    WattsStrogatz,
)
from pocketdet.model.config_data import config_from_data, config_to_data
from pocketdet.model.cost import count_parameters
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.norm import NORMS
from pocketdet.model.stage import STAGES

every_stage = pytest.mark.parametrize("kind", STAGES, ids=name_of)
SMALL = {"graph": WattsStrogatz(num_nodes=8)}
WITH_CONV = [kind for kind in STAGES if "conv" in kind.__dataclass_fields__]


def built(kind: type, *, in_channels: int = 12, layers: Layers | None = None, **chosen):
    torch.manual_seed(0)
    return example(kind, **{**SMALL, **chosen}).build(in_channels, layers or Layers())


@every_stage
@pytest.mark.parametrize("stride", [1, 2])
def test_gradient_reaches_every_parameter(kind, stride) -> None:
    assert_gradient_reaches_every_parameter(built(kind, stride=stride), torch.randn(3, 12, 9, 7))


@every_stage
@pytest.mark.parametrize("norm", NORMS, ids=name_of)
def test_gradient_reaches_every_parameter_with_every_norm(kind, norm) -> None:
    part = built(kind, layers=Layers(norm=norm()))
    assert_gradient_reaches_every_parameter(part, torch.randn(3, 12, 9, 7))


@every_stage
def test_images_do_not_mix_in_evaluation(kind) -> None:
    assert_images_do_not_mix(built(kind), torch.randn(3, 12, 9, 7))


@every_stage
@pytest.mark.parametrize("layers", [Layers(), Layers(norm=NoNorm())], ids=["normed", "plain"])
@pytest.mark.parametrize("in_channels", [12, 16])
def test_the_input_is_left_alone(kind, layers, in_channels) -> None:
    part = built(kind, stride=1, in_channels=in_channels, layers=layers)
    assert_input_is_left_alone(part, torch.randn(2, in_channels, 8, 8))


@every_stage
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(38, 38), (19, 10), (5, 8), (3, 1), (1, 1)])
def test_a_stage_halves_any_size_rounding_up_or_keeps_it(kind, stride, size) -> None:
    result = built(kind, stride=stride).eval()(torch.randn(2, 12, *size))
    assert result.shape[2:] == tuple(halved(side, times=stride - 1) for side in size)


@every_stage
@pytest.mark.parametrize("in_channels", [2, 7, 16])
def test_a_stage_gives_the_width_that_its_docstring_states(kind, in_channels) -> None:
    choice = example(kind, **SMALL)
    result = choice.build(in_channels, Layers()).eval()(torch.randn(1, in_channels, 4, 4))
    if kind is TwoWayDense:
        expected = in_channels + 2 * 32
    elif kind is DenseStage:
        expected = (in_channels + 2 * 32) // 2
    elif kind is CSPDense:
        around = max(1, in_channels // 2)
        expected = around + (in_channels - around + 2 * 32) // 2
    else:
        expected = choice.channels
    assert result.shape[1] == expected


@every_stage
@torch.no_grad()
def test_a_stage_looks_where_its_place_claims(kind) -> None:
    stage = built(kind, num_layers=1, graph=WattsStrogatz(num_nodes=4, neighbours=2)).eval()
    for parameter in stage.parameters():
        parameter.abs_()
    features = torch.rand(1, 12, 32, 32)
    reads = []
    for y in range(32):
        touched = features.clone()
        touched[:, :, y] += 1
        reads += [y] if (stage(touched) - stage(features))[0, :, 8].abs().sum() > 1e-4 else []
    assert abs((reads[0] + reads[-1] + 1) / 2 - 2 * 8.5) <= 2


@every_stage
def test_a_detector_with_it_builds_and_survives_the_way_through_a_file(kind, tmp_path) -> None:
    stages = (*recipes.PELEE_TINY.stages[:-1], example(kind, **SMALL))
    config = replace(recipes.PELEE_TINY, stages=stages)
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert config_from_data(config_to_data(config)) == config
    torch.manual_seed(0)
    detector = build(config, num_classes=2).eval()
    torch.manual_seed(0)
    again = build(load_config(tmp_path / "config.yaml"), num_classes=2).eval()
    images = torch.randn(1, 3, 75, 101)
    with torch.no_grad():
        predicted = detector(images).class_logits
        assert bool(predicted.isfinite().all())
        assert torch.equal(again(images).class_logits, predicted)


@every_stage
def test_a_misspelt_name_or_field_is_answered_with_the_nearest(kind) -> None:
    with pytest.raises(
        ValueError, match=rf"`{kind.__name__}s` is no.*`stages\[0\]`.*mean `{kind.__name__}`"
    ):
        config_from_data({"stages": [f"{kind.__name__}s"]})
    with pytest.raises(
        ValueError, match=rf"of `stages\[0\].{kind.__name__}`.*Did you mean `stride`"
    ):
        config_from_data({"stages": [{kind.__name__: {"strid": 1}}]})
    with pytest.raises(ValueError, match="`stride` of a stage must be 1 or 2; got 3"):
        example(kind, stride=3)


@every_stage
@pytest.mark.parametrize("stride", [1, 2])
@torch.no_grad()
def test_a_folded_stage_says_the_same(kind, stride) -> None:
    stage = built(kind, stride=stride, in_channels=16)
    for _ in range(3):
        stage(torch.randn(4, 16, 9, 7))
    given = torch.randn(2, 16, 9, 7)
    folded = fold_batch_norm(stage)
    assert count_parameters(folded) < count_parameters(stage)
    assert torch.allclose(folded(given), stage.eval()(given), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", WITH_CONV, ids=name_of)
def test_a_stages_own_convolution_stands_for_its_wide_ones(kind) -> None:
    own = built(kind, conv=SeparableConv())
    detectors = built(kind, layers=Layers(convolution=SeparableConv()))
    assert count_parameters(own) == count_parameters(detectors) < count_parameters(built(kind))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwoWayDense(num_layers=1, growth=3), "`growth` even and at least 2"),
        (lambda: DenseStage(num_layers=0), "`num_layers`.*at least 1.*got 0"),
        (lambda: DenseStage(num_layers=1, compression=1.5), "`compression` above 0 and at most 1"),
        (lambda: CSPDense(num_layers=1, around=1.0), "`around` between 0 and 1"),
        (lambda: CSPDense(num_layers=1).build(1, Layers()), "at least 2 channels to split; got 1"),
        (lambda: InvertedResidual(channels=0), "`channels`.*at least 1"),
        (lambda: InvertedResidual(channels=8, kernel_size=4), "`kernel_size`.*odd.*got 4"),
        (lambda: Ghost(channels=8, expansion=0), "`expansion` must be at least 1"),
        (lambda: Ghost(channels=8, kernel_size=1), "`kernel_size`.*at least 3; got 1"),
        (lambda: RepVGG(channels=0), "`channels` and `num_layers` must be at least 1"),
        (lambda: RandWire(channels=0), "`channels` of a stage must be at least 1; got 0"),
    ],
)
def test_an_impossible_stage_is_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
