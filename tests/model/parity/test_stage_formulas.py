"""Each stage against its paper's formula."""

import numpy as np
from numpy_layers import (
    array,
    assert_same,
    conv_norm,
    features,
    relu,
    run_conv,
    run_norm,
    shake,
    sigmoid,
)
import pytest
import torch

from pocketdet.model import (
    CSPDense,
    DenseStage,
    DrawnGraph,
    Ghost,
    InvertedResidual,
    Layers,
    RandWire,
    ReLU6,
    RepVGG,
    TwoWayDense,
)


def block(x, sequence):
    return relu(conv_norm(x, sequence))


def halved_by_means(x):
    """2×2 means; at an odd border over the places that exist."""
    height, width = -(-x.shape[2] // 2), -(-x.shape[3] // 2)
    out = np.zeros((*x.shape[:2], height, width))
    for i in range(height):
        for j in range(width):
            out[:, :, i, j] = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean(axis=(2, 3))
    return out


def gate(x, squeeze_excite):
    means = x.mean(axis=(2, 3), keepdims=True)
    hidden = relu(run_conv(means, squeeze_excite.squeeze))
    return x * np.clip(run_conv(hidden, squeeze_excite.excite) + 3, 0, 6) / 6


@pytest.mark.parametrize("stride", [1, 2])
def test_pelees_two_way_dense_stage(stride) -> None:
    choice = TwoWayDense(num_layers=2, growth=8, bottleneck_width=2, stride=stride)
    stage, given = shake(choice.build(6, Layers())), features(2, 6, 7, 5)
    x = array(given)
    x = halved_by_means(x) if stride == 2 else x
    for layer in (stage.dense1, stage.dense2):
        short = block(block(x, layer.short[0]), layer.short[1])
        long = block(block(block(x, layer.long[0]), layer.long[1]), layer.long[2])
        x = np.concatenate([x, short, long], axis=1)
    assert x.shape[1] == 6 + 2 * 8
    assert_same(stage, given, block(x, stage.transition))


@pytest.mark.parametrize("stride", [1, 2])
def test_densenets_stage(stride) -> None:
    choice = DenseStage(num_layers=2, growth=4, bottleneck=3, compression=0.5, stride=stride)
    stage, given = shake(choice.build(6, Layers())), features(2, 6, 7, 5)
    x = array(given)
    x = halved_by_means(x) if stride == 2 else x
    for layer in (stage.dense1, stage.dense2):
        norm1, conv1, norm3, conv3 = (
            part for part in layer.new if isinstance(part, torch.nn.BatchNorm2d | torch.nn.Conv2d)
        )
        assert conv1.weight.shape == (12, x.shape[1], 1, 1)
        assert conv3.weight.shape == (4, 12, 3, 3)
        assert conv1.bias is None
        inner = run_conv(relu(run_norm(x, norm1)), conv1)
        x = np.concatenate([x, run_conv(relu(run_norm(inner, norm3)), conv3)], axis=1)
    expected = run_conv(relu(run_norm(x, stage.transition[0])), stage.transition[2])
    assert expected.shape[1] == (6 + 2 * 4) // 2
    assert_same(stage, given, expected)


def test_the_cross_stage_partial_dense_stage() -> None:
    choice = CSPDense(num_layers=2, growth=4, bottleneck=2, stride=2)
    stage, given = shake(choice.build(6, Layers())), features(2, 6, 7, 5)
    x = halved_by_means(array(given))
    around, x = x[:, :3], x[:, 3:]
    for layer in stage.cross.dense:
        x = np.concatenate([x, block(block(x, layer[0]), layer[1])], axis=1)
    partial = block(x, stage.cross.partial)
    assert partial.shape[1] == (3 + 2 * 4) // 2
    expected = block(np.concatenate([around, partial], axis=1), stage.cross.transition)
    assert_same(stage, given, expected)


@pytest.mark.parametrize(("stride", "channels"), [(1, 6), (1, 8), (2, 6)])
@pytest.mark.parametrize("squeeze", [0, 4])
def test_mobilenets_inverted_residual(stride, channels, squeeze) -> None:
    choice = InvertedResidual(
        channels=channels, expansion=3, kernel_size=5, stride=stride, squeeze=squeeze
    )
    stage, given = shake(choice.build(6, Layers(activation=ReLU6()))), features(2, 6, 7, 5)
    x, parts = array(given), stage[0].residual

    def relu6(values):
        return np.clip(values, 0, 6)

    y = relu6(conv_norm(relu6(conv_norm(x, parts.expand)), parts.depthwise))
    assert parts.depthwise[0].weight.shape == (18, 1, 5, 5)
    if squeeze:
        y = gate(y, parts.squeeze)
    y = conv_norm(y, parts.project)
    assert_same(stage, given, x + y if (stride, channels) == (1, 6) else y)


def test_an_expansion_of_one_has_no_first_convolution() -> None:
    stage = InvertedResidual(channels=8, expansion=1, stride=1).build(8, Layers())
    assert [name for name, _ in stage[0].residual.named_children()] == ["depthwise", "project"]


@pytest.mark.parametrize(("stride", "channels"), [(1, 6), (1, 7), (2, 6)])
@pytest.mark.parametrize("squeeze", [0, 4])
def test_ghostnets_bottleneck(stride, channels, squeeze) -> None:
    choice = Ghost(channels=channels, expansion=2, stride=stride, squeeze=squeeze)
    stage, given = shake(choice.build(6, Layers())), features(2, 6, 7, 5)
    x, parts = array(given), list(stage[0].residual)

    def ghost(values, module, activate):
        primary = activate(conv_norm(values, module.primary))
        cheap = activate(conv_norm(primary, module.cheap))
        return np.concatenate([primary, cheap], axis=1)[:, : module.out_channels]

    y = ghost(x, parts.pop(0)[0], relu)
    if stride == 2:
        assert parts[0][0].groups == 12
        y = conv_norm(y, parts.pop(0))
    if squeeze:
        y = gate(y, parts.pop(0))
    y = ghost(y, parts.pop(0)[0], lambda values: values)
    if stride == 2 or channels != 6:
        shortcut = stage[0].shortcut
        x = conv_norm(conv_norm(x, shortcut), shortcut, at=2)
    assert_same(stage, given, x + y)


@pytest.mark.parametrize(("stride", "channels"), [(1, 6), (1, 8), (2, 6)])
def test_repvggs_block(stride, channels) -> None:
    stage = shake(RepVGG(channels=channels, stride=stride).build(6, Layers()))
    given = features(2, 6, 7, 5)
    x, parts = array(given), stage[0]
    y = conv_norm(x, parts.wide) + conv_norm(x, parts.narrow)
    if (stride, channels) == (1, 6):
        y = y + run_norm(x, parts.keep[0])
    assert_same(stage, given, relu(y))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_randwire_stage(stride) -> None:
    """0 and 1 read the input; 3 and 4 are outputs."""
    graph = DrawnGraph(num_nodes=5, edges=((0, 2), (1, 2), (0, 3), (2, 3), (1, 4)))
    choice = RandWire(channels=4, graph=graph, stride=stride)
    stage, given = shake(choice.build(6, Layers())), features(2, 6, 7, 5)
    results: list = []
    for node, read in zip(stage.nodes, [[], [], [0, 1], [0, 2], [1]], strict=True):
        if read:
            weights = sigmoid(array(node.gather.logits))
            gathered = sum(w * results[i] for w, i in zip(weights, read, strict=True))
        else:
            gathered = array(given)
        _, depthwise, pointwise, norm = node.convolve
        assert depthwise.groups == depthwise.in_channels
        assert depthwise.stride == ((1, 1) if read else (stride, stride))
        convolved = run_conv(run_conv(relu(gathered), depthwise), pointwise)
        results.append(run_norm(convolved, norm))
    assert_same(stage, given, (results[3] + results[4]) / 2)
