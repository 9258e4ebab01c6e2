"""What holds for every stem."""

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
from pocketdet.model import ConvStem, FocusStem, HGStem, Layers, PatchStem, PeleeStem, PoolStem
from pocketdet.model.config_data import config_from_data
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.stem import STEMS

every_stem = pytest.mark.parametrize("kind", STEMS, ids=name_of)


def built(kind: type) -> torch.nn.Module:
    torch.manual_seed(0)
    return example(kind).build(Layers())


@every_stem
def test_gradient_reaches_every_parameter(kind) -> None:
    assert_gradient_reaches_every_parameter(built(kind), torch.randn(2, 3, 29, 18))


@every_stem
def test_images_do_not_mix_in_evaluation(kind) -> None:
    assert_images_do_not_mix(built(kind), torch.randn(3, 3, 29, 18))


@every_stem
def test_the_picture_is_left_alone(kind) -> None:
    assert_input_is_left_alone(built(kind), torch.randn(2, 3, 32, 32))


@every_stem
@pytest.mark.parametrize("size", [(64, 64), (75, 101), (97, 161), (30, 31), (6, 5), (1, 2)])
def test_a_stem_gives_a_quarter_of_any_size_rounded_up(kind, size) -> None:
    result = built(kind).eval()(torch.randn(2, 3, *size))
    assert result.shape[2:] == (halved(size[0], times=2), halved(size[1], times=2))


@every_stem
@torch.no_grad()
def test_a_stem_looks_where_its_place_claims(kind) -> None:
    """What a place reads is centred, within the place, on its own part of the picture."""
    stem = built(kind).eval()
    picture = torch.rand(1, 3, 64, 64)
    for row in (5, 9):
        reads = []
        for y in range(64):
            touched = picture.clone()
            touched[:, :, y] += 1
            changed = (stem(touched) - stem(picture))[0, :, row].abs().sum()
            reads += [y] if changed > 1e-4 else []
        assert abs((reads[0] + reads[-1] + 1) / 2 - 4 * (row + 0.5)) <= 4


@every_stem
def test_a_detector_with_it_builds_and_survives_the_way_through_a_file(kind, tmp_path) -> None:
    config = replace(recipes.PELEE_TINY, stem=example(kind))
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert config_from_data({"stem": kind.__name__}, base=recipes.PELEE_TINY).stem == kind()
    with torch.no_grad():
        predicted = build(config, num_classes=2).eval()(torch.randn(1, 3, 75, 101))
    assert bool(predicted.class_logits.isfinite().all())


@every_stem
def test_a_misspelt_name_or_field_is_answered_with_the_nearest(kind) -> None:
    with pytest.raises(ValueError, match=f"`{kind.__name__}s` is no.*`stem`.*`{kind.__name__}`"):
        config_from_data({"stem": f"{kind.__name__}s"})
    with pytest.raises(ValueError, match=f"of `stem.{kind.__name__}`.*Did you mean `channels`"):
        config_from_data({"stem": {kind.__name__: {"chanels": 3}}})


@every_stem
@torch.no_grad()
def test_a_folded_stem_says_the_same(kind) -> None:
    stem = built(kind)
    for _ in range(3):
        stem(torch.randn(4, 3, 32, 32))
    given = torch.randn(2, 3, 30, 31)
    folded = fold_batch_norm(stem)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert torch.allclose(folded(given), stem.eval()(given), atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PeleeStem(channels=1), "`channels` of a stem must be at least 2; got 1"),
        (lambda: ConvStem(channels=(4,)), "one entry a convolution.*got 1 and 2"),
        (lambda: ConvStem(channels=(), strides=()), "at least one; got 0 and 0"),
        (lambda: ConvStem(strides=(2, 3)), r"`strides` 1 or 2 each; got \[16, 32\] and \[2, 3\]"),
        (lambda: PatchStem(patch=1), "`patch` at least 2; got 32 and 1"),
        (lambda: FocusStem(hidden=0), "`hidden` and `channels` must be at least 1; got 0 and 32"),
        (lambda: PoolStem(channels=0), "`channels` of a stem must be at least 1; got 0"),
        (lambda: HGStem(hidden=1), "`hidden` must be at least 2"),
    ],
)
def test_an_impossible_stem_is_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
