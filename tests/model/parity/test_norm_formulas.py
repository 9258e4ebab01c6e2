"""Each normalisation against its paper's formula."""

import numpy as np
from numpy_layers import array, assert_same, features, shake
import pytest
import torch

from pocketdet.model import BatchNorm, GroupNorm, L2Norm, LayerNorm, NoNorm


def along_channels(parameter):
    return array(parameter)[None, :, None, None]


def test_batch_norm_in_training_is_over_the_batch_and_all_places() -> None:
    norm = shake(BatchNorm(eps=1e-3).build(4)).train()
    x = array(features(3, 4, 5, 6))
    mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    expected = (x - mean[None, :, None, None]) / np.sqrt(variance + 1e-3)[None, :, None, None]
    expected = expected * along_channels(norm.weight) + along_channels(norm.bias)
    assert_same(norm, features(3, 4, 5, 6), expected)


@pytest.mark.parametrize(("channels", "size"), [(8, 4), (12, 4), (6, 6), (9, 9), (10, 5), (3, 3)])
def test_group_norm_is_over_a_groups_channels_and_places_of_one_image(channels, size) -> None:
    norm = shake(GroupNorm(group_channels=4).build(channels))
    x = array(features(2, channels, 5, 3))
    expected = np.zeros_like(x)
    for image in range(2):
        for first in range(0, channels, size):
            group = x[image, first : first + size]
            normed = (group - group.mean()) / np.sqrt(group.var() + 1e-5)
            expected[image, first : first + size] = normed
    expected = expected * along_channels(norm.weight) + along_channels(norm.bias)
    assert_same(norm, features(2, channels, 5, 3), expected)


def test_layer_norm_is_over_the_channels_of_one_place() -> None:
    norm = shake(LayerNorm().build(6))
    x = array(features(2, 6, 4, 3))
    centred = x - x.mean(axis=1, keepdims=True)
    expected = centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    expected = expected * along_channels(norm.weight) + along_channels(norm.bias)
    assert_same(norm, features(2, 6, 4, 3), expected)


def test_l2_norm_is_parsenets_formula_and_starts_at_a_length_of_twenty() -> None:
    norm = L2Norm().build(6)
    x = array(features(2, 6, 4, 3))
    length = np.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-10)
    assert_same(norm, features(2, 6, 4, 3), 20 * x / length)
    shake(norm)
    assert_same(norm, features(2, 6, 4, 3), x / length * along_channels(norm.scale))


def test_l2_norm_of_an_all_zero_place_has_a_finite_gradient() -> None:
    zeros = torch.zeros(1, 4, 2, 2, requires_grad=True)
    L2Norm().build(4)(zeros).sum().backward()
    assert zeros.grad is not None
    assert bool(zeros.grad.isfinite().all())


@pytest.mark.parametrize("norm", [LayerNorm(), L2Norm()])
def test_norms_over_channels_divide_out_a_spatial_gate(norm) -> None:
    """The fault of the post: documented in their docstrings, so it has to stay true."""
    built = norm.build(8)
    maps = torch.rand(1, 8, 5, 5) + 0.5
    gate = torch.rand(1, 1, 5, 5) + 0.5
    assert torch.allclose(built(maps * gate), built(maps), atol=1e-3)


def test_no_norm_is_nothing() -> None:
    assert_same(NoNorm().build(3), features(1, 3, 2, 2), array(features(1, 3, 2, 2)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GroupNorm(group_channels=1), "`group_channels` must be at least 2"),
        (lambda: LayerNorm().build(1), "needs at least 2 channels"),
        (lambda: L2Norm(eps=0.0), "`eps` and `scale` must be above 0"),
    ],
)
def test_a_norm_that_would_make_constants_is_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
