"""A stage inserted with `start: identity` changes nothing until it is trained."""

from dataclasses import replace

from backbone_examples import name_of
from part_properties import assert_gradient_reaches_every_parameter
import pytest
import torch

from pocketdet import build, load_config, recipes
from pocketdet.model import (
    GELU,
    Detector,
    GroupNorm,
    InvertedResidual,
    L2Norm,
    LayerNorm,
    Layers,
    NoNorm,
    RepVGG,
    SiLU,
)
from pocketdet.model.stage import STAGES

STARTING = [kind for kind in STAGES if "start" in kind.__dataclass_fields__]
every_start = pytest.mark.parametrize("kind", STARTING, ids=name_of)


def base_detector() -> Detector:
    """PELEE_TINY with statistics that are not those of a new network."""
    torch.manual_seed(0)
    detector = build(recipes.PELEE_TINY, num_classes=2)
    for _ in range(2):
        detector(torch.randn(2, 3, 64, 64))
    return detector.eval()


def inserted_after_second_stage(base: Detector, stage) -> Detector:
    """Build the altered detector and carry over every tensor of the base."""
    config = base.config
    stages = (*config.stages[:2], stage, *config.stages[2:])
    altered = build(replace(config, stages=stages, levels_from=(2, 3, 4)), num_classes=2)
    weights = altered.state_dict()
    for name, tensor in base.state_dict().items():
        part, *rest = name.split(".")
        if part == "stages" and int(rest[0]) >= 2:
            rest[0] = str(int(rest[0]) + 1)
        weights[".".join([part, *rest])] = tensor
    altered.load_state_dict(weights)
    return altered.eval()


def width_after_second_stage(base: Detector) -> int:
    return base.levels(torch.zeros(1, 3, 64, 64))[0].shape[1]


@every_start
@pytest.mark.parametrize("num_layers", [1, 3])
@torch.no_grad()
def test_a_detector_says_the_same_with_the_stage_inserted(kind, num_layers) -> None:
    base = base_detector()
    width = width_after_second_stage(base)
    stage = kind(channels=width, num_layers=num_layers, stride=1, start="identity")
    altered = inserted_after_second_stage(base, stage)
    images = torch.randn(2, 3, 160, 192)
    before, after = base(images), altered(images)
    assert (before.class_logits - after.class_logits).abs().max() <= 1e-6
    assert (before.box_deltas - after.box_deltas).abs().max() <= 1e-6
    random = inserted_after_second_stage(base, replace(stage, start="random"))
    assert (before.class_logits - random(images).class_logits).abs().max() > 1e-4


@every_start
def test_training_leaves_the_identity_and_reaches_every_parameter(kind) -> None:
    torch.manual_seed(0)
    stage = kind(channels=12, stride=1, start="identity").build(12, Layers())
    features = torch.rand(4, 12, 9, 7)
    optimizer = torch.optim.SGD(stage.parameters(), lr=0.1)
    for _ in range(2):  # a ghost module's second half learns only once the first gives something
        (stage(features) - torch.randn_like(features)).square().mean().backward()
        optimizer.step()
    assert not torch.allclose(stage(features), features, atol=1e-4)
    assert_gradient_reaches_every_parameter(stage, features)


@pytest.mark.parametrize("norm", [NoNorm(), GroupNorm(), LayerNorm(), L2Norm()], ids=name_of)
@torch.no_grad()
def test_an_inverted_residual_starts_as_the_identity_with_every_norm(norm) -> None:
    stage = InvertedResidual(channels=12, stride=1, start="identity", num_layers=2)
    features = torch.randn(2, 12, 9, 7)
    built = stage.build(12, Layers(norm=norm, activation=SiLU()))
    assert torch.equal(built(features), features)


@every_start
def test_the_identity_is_refused_where_the_map_changes(kind) -> None:
    message = "`start: identity` needs a stage of `stride` 1.*12 come in.*`channels` 16"
    with pytest.raises(ValueError, match=message):
        kind(channels=16, stride=1, start="identity").build(12, Layers())
    with pytest.raises(ValueError, match="`stride` 2 and `channels` 12"):
        kind(channels=12, stride=2, start="identity").build(12, Layers())


@pytest.mark.parametrize("layers", [Layers(norm=GroupNorm()), Layers(activation=GELU())])
def test_repvgg_refuses_the_identity_where_it_is_not_exact(layers) -> None:
    with pytest.raises(ValueError, match="needs `norm` BatchNorm and `activation` ReLU"):
        RepVGG(channels=8, stride=1, start="identity").build(8, layers)


@every_start
def test_another_start_is_refused_with_the_choices(kind, tmp_path) -> None:
    with pytest.raises(ValueError, match="`start` must be random or identity; got 'idenity'"):
        kind(channels=8, start="idenity")
    path = tmp_path / "altered.yaml"
    path.write_text(f"stages: [{{{kind.__name__}: {{channels: 8, start: idenity}}}}]")
    with pytest.raises(ValueError, match=r"there are random, identity\. Did you mean `identity`"):
        load_config(path)
