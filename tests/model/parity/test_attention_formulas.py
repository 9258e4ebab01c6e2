"""Each attention against its paper's formula, written out anew in NumPy."""

import numpy as np
from numpy_layers import (
    array,
    assert_same,
    conv2d,
    conv_norm,
    features,
    relu,
    run_conv,
    run_norm,
    shake,
    sigmoid,
)
import pytest

from pocketdet.model import CBAM, ECA, SE, CoordAtt, GlobalContext, NonLocal, SimAM
from pocketdet.model.attention.efficient_channel import fitting_width

GIVEN = features(2, 16, 5, 6)


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def channel_gate(f, gate):
    w1, b1 = array(gate.mlp[0].weight), array(gate.mlp[0].bias)
    w2, b2 = array(gate.mlp[2].weight), array(gate.mlp[2].bias)

    def mlp(v):
        return relu(v @ w1.T + b1) @ w2.T + b2

    return f * sigmoid(mlp(f.mean((2, 3))) + mlp(f.max((2, 3))))[:, :, None, None]


def spatial_gate(f, gate):
    pooled = np.stack([f.max(1), f.mean(1)], axis=1)
    return f * sigmoid(run_norm(run_conv(pooled, gate.conv), gate.norm))


@pytest.mark.parametrize(
    "gates", [("channel", "spatial"), ("spatial", "channel"), ("channel",), ("spatial",)]
)
def test_cbam_has_the_gates_that_it_names_in_their_order(gates) -> None:
    block = shake(CBAM(reduction=4, kernel_size=3, gates=gates).build(16))
    f = array(GIVEN)
    for name, gate in zip(gates, block, strict=True):
        f = channel_gate(f, gate) if name == "channel" else spatial_gate(f, gate)
    assert_same(block, GIVEN, f)


def test_se() -> None:
    block = shake(SE(reduction=4).build(16))
    w1, w2 = array(block.excite[0].weight), array(block.excite[2].weight)
    f = array(GIVEN)
    assert w1.shape == (4, 16)
    gate = sigmoid(relu(f.mean((2, 3)) @ w1.T) @ w2.T)
    assert_same(block, GIVEN, f * gate[:, :, None, None])


def test_eca() -> None:
    block = shake(ECA(kernel_size=5).build(16))
    kernel, f = array(block.conv.weight)[0, 0], array(GIVEN)
    means = np.pad(f.mean((2, 3)), ((0, 0), (2, 2)))
    logits = np.stack([means[:, c : c + 5] @ kernel for c in range(16)], axis=1)
    assert_same(block, GIVEN, f * sigmoid(logits)[:, :, None, None])


@pytest.mark.parametrize(("channels", "width"), [(16, 3), (64, 3), (128, 5), (256, 5), (704, 5)])
def test_eca_follows_the_number_of_channels(channels: int, width: int) -> None:
    assert fitting_width(channels) == width
    assert ECA().build(channels).conv.kernel_size == (width,)


def test_coordinate_attention() -> None:
    block = shake(CoordAtt(reduction=2).build(16))
    f = array(GIVEN)

    def mixed(line):
        x = conv_norm(line, block.shared)
        return x * np.clip(x + 3, 0, 6) / 6

    rows = sigmoid(run_conv(mixed(f.mean(3, keepdims=True)), block.rows))
    columns = sigmoid(run_conv(mixed(f.mean(2, keepdims=True)), block.columns))
    assert rows.shape == (2, 16, 5, 1)
    assert columns.shape == (2, 16, 1, 6)
    assert_same(block, GIVEN, f * rows * columns)


def test_simam() -> None:
    f = array(GIVEN)
    mean = f.mean((2, 3), keepdims=True)
    variance = ((f - mean) ** 2).sum((2, 3), keepdims=True) / (5 * 6 - 1)
    least_energy = 4 * (variance + 1e-4) / ((f - mean) ** 2 + 2 * variance + 2e-4)
    assert_same(SimAM().build(16), GIVEN, f * sigmoid(1 / least_energy))


def test_global_context() -> None:
    block = shake(GlobalContext(reduction=2).build(16))
    f = array(GIVEN)
    places = f.reshape(2, 16, -1)
    weights = softmax(conv2d(f, array(block.weigh.weight)).reshape(2, 1, -1), axis=-1)
    context = (places * weights).sum(-1)
    hidden = context @ array(block.squeeze.weight).T + array(block.squeeze.bias)
    centred = hidden - hidden.mean(-1, keepdims=True)
    hidden = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    hidden = relu(hidden * array(block.norm.weight) + array(block.norm.bias))
    added = hidden @ array(block.expand.weight).T + array(block.expand.bias)
    assert_same(block, GIVEN, f + added[:, :, None, None])


def test_non_local() -> None:
    block = shake(NonLocal().build(16))
    f = array(GIVEN)
    theta, phi, g = (
        run_conv(f, convolution).reshape(2, 8, -1)
        for convolution in (block.theta, block.phi, block.g)
    )
    pairs = softmax(np.einsum("bci,bcj->bij", theta, phi), axis=2)
    read = np.einsum("bij,bcj->bci", pairs, g).reshape(2, 8, 5, 6)
    assert_same(block, GIVEN, f + conv_norm(read, block.out))
