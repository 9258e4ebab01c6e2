"""Each choice of convolution against its paper's formula."""

import numpy as np
from numpy_layers import array, assert_same, conv_norm, features, relu, run_conv, shake
import pytest
import torch

from pocketdet.model import (
    ConvShape,
    DilatedConv,
    GhostConv,
    GroupedConv,
    Layers,
    PartialConv,
    SeparableConv,
    StandardConv,
)


def block(convolution, in_channels=8, out_channels=12, *, stride=1, linear=False):
    layers = Layers(convolution=convolution)
    make = layers.linear_conv if linear else layers.conv
    return shake(make(in_channels, out_channels, 3, stride=stride))


@pytest.mark.parametrize("stride", [1, 2])
def test_the_helper_itself_agrees_with_torch(stride) -> None:
    convolution = torch.nn.Conv2d(4, 6, 3, stride=stride, padding=2, dilation=2, groups=2)
    given = features(2, 4, 7, 9)
    assert_same(convolution, given, run_conv(array(given), convolution))


@pytest.mark.parametrize("stride", [1, 2])
def test_the_standard_convolution(stride) -> None:
    standard, given = block(StandardConv(), stride=stride), features(2, 8, 7, 6)
    assert standard[0].weight.shape == (12, 8, 3, 3)
    assert_same(standard, given, relu(conv_norm(array(given), standard)))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("linear", [False, True])
def test_the_separable_convolution_is_mobilenets(stride, linear) -> None:
    separable, given = block(SeparableConv(), stride=stride, linear=linear), features(2, 8, 7, 6)
    assert separable[0].weight.shape == (8, 1, 3, 3)
    assert separable[3].weight.shape == (12, 8, 1, 1)
    mixed = conv_norm(relu(conv_norm(array(given), separable)), separable, at=3)
    assert_same(separable, given, mixed if linear else relu(mixed))


def test_a_grouped_convolution_reads_its_own_groups_channels() -> None:
    grouped, given = block(GroupedConv(groups=4)), features(2, 8, 7, 6)
    x, weight = array(given), array(grouped[0].weight)
    assert weight.shape == (12, 2, 3, 3)
    parts = []
    for group in range(4):
        alone = torch.nn.Conv2d(2, 3, 3, padding=1, bias=False)
        alone.weight.data = torch.from_numpy(weight[3 * group : 3 * group + 3]).float()
        parts.append(run_conv(x[:, 2 * group : 2 * group + 2], alone))
    whole = torch.nn.Sequential(grouped[0])
    assert_same(whole, given, np.concatenate(parts, axis=1))


def test_groups_that_do_not_divide_become_their_greatest_common_divisor() -> None:
    assert block(GroupedConv(groups=4), 6, 10)[0].groups == 2
    assert block(GroupedConv(groups=4), 7, 10)[0].groups == 1


@pytest.mark.parametrize("dilation", [2, 3])
def test_a_dilated_convolution_looks_so_many_places_apart(dilation) -> None:
    dilated, given = block(DilatedConv(dilation=dilation)), features(2, 8, 9, 8)
    assert dilated[0].dilation == (dilation, dilation)
    assert_same(dilated, given, relu(conv_norm(array(given), dilated)))


@pytest.mark.parametrize(("ratio", "out_channels"), [(2, 12), (2, 7), (3, 8), (4, 5)])
@pytest.mark.parametrize("linear", [False, True])
def test_the_ghost_convolution_is_ghostnets_module(ratio, out_channels, linear) -> None:
    ghost = block(GhostConv(ratio=ratio), out_channels=out_channels, linear=linear)
    given = features(2, 8, 7, 6)
    activate = (lambda x: x) if linear else relu
    primary = activate(conv_norm(array(given), ghost[0].primary))
    made = primary.shape[1]
    assert made == -(-out_channels // ratio)
    cheap = activate(conv_norm(primary, ghost[0].cheap))
    assert ghost[0].cheap[0].groups == made
    expected = np.concatenate([primary, cheap], axis=1)[:, :out_channels]
    assert expected.shape[1] == out_channels
    assert_same(ghost, given, expected)


def test_the_partial_convolution_is_fasternets_and_then_a_pointwise_one() -> None:
    partial, given = block(PartialConv()), features(2, 8, 7, 6)
    x = array(given)
    first = run_conv(x[:, :2], partial[0].convolution)
    joined = np.concatenate([first, x[:, 2:]], axis=1)
    assert_same(partial, given, relu(conv_norm(joined, partial, at=1)))


def test_the_partial_convolution_is_a_standard_one_where_the_map_shrinks() -> None:
    shrinking = block(PartialConv(), stride=2)
    assert shrinking[0].weight.shape == (12, 8, 3, 3)


@pytest.mark.parametrize("convolution", [StandardConv(), SeparableConv(), GroupedConv()])
def test_the_start_keeps_the_size_of_signals(convolution) -> None:
    """He's start counts the fan of one group, or deep separable networks start near zero."""
    torch.manual_seed(0)
    built = convolution.build(
        ConvShape(in_channels=64, out_channels=64, kernel_size=3),
        Layers().norm,
        Layers().activation,
    )
    for module in built:
        if isinstance(module, torch.nn.Conv2d):
            fan_out = module.out_channels * 9 // module.groups if module.kernel_size[0] == 3 else 64
            assert float(module.weight.detach().std()) == pytest.approx(
                (2 / fan_out) ** 0.5, rel=0.1
            )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GroupedConv(groups=1), "`groups` must be at least 2 .one group is `StandardConv`"),
        (lambda: DilatedConv(dilation=1), "`dilation` must be at least 2 .1 is `StandardConv`"),
        (lambda: GhostConv(ratio=1), "`ratio` must be at least 2"),
        (lambda: GhostConv(cheap_kernel=4), "`cheap_kernel` odd"),
        (lambda: PartialConv(ratio=1), "`ratio` must be at least 2 .1 is `StandardConv`"),
    ],
)
def test_an_option_without_effect_is_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()
