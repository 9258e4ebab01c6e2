"""Each neck against its paper's formula, written out anew in NumPy."""

import numpy as np
from numpy_layers import array, conv_norm, features, relu, run_conv, shake
import torch

from pocketdet.model import PAN, BiFPN, Layers, TopDown

CHANNELS = (3, 5, 4, 6)
LEVELS = [
    features(2, c, *s) for c, s in zip(CHANNELS, [(9, 10), (5, 5), (3, 3), (1, 1)], strict=True)
]


def nearest(f, like):
    (h, w), (n, m) = f.shape[2:], like.shape[2:]
    rows = [int((y + 0.5) * h / n) for y in range(n)]
    return f[:, :, rows][:, :, :, [int((x + 0.5) * w / m) for x in range(m)]]


def fitted(f, like):
    """2×2 to Pelee's 1×1 is the mean; every other step is the half, rounded up."""
    if f.shape[2:] == like.shape[2:]:
        return f
    assert f.shape[2:] == (2, 2)
    assert like.shape[2:] == (1, 1)
    return f.mean((2, 3), keepdims=True)


def assert_same(neck, expected) -> None:
    with torch.no_grad():
        results = neck.double()([level.double() for level in LEVELS])
    for result, level in zip(results, expected, strict=True):
        assert result.shape == level.shape
        assert np.abs(result.numpy() - level).max() < 1e-5 * max(1, np.abs(level).max())


def pyramid(part):
    merged = [run_conv(array(level), part.lateral[i][0]) for i, level in enumerate(LEVELS)]
    for i in (2, 1, 0):
        merged[i] = merged[i] + nearest(merged[i + 1], merged[i])
    return [run_conv(level, part.smooth[i][0]) for i, level in enumerate(merged)]


def test_top_down() -> None:
    neck = shake(TopDown(channels=4).build(CHANNELS, Layers()))
    assert_same(neck, pyramid(neck))


def test_pan() -> None:
    neck = shake(PAN(channels=4).build(CHANNELS, Layers()))
    levels = pyramid(neck.top_down)
    for i in (1, 2, 3):
        halved = relu(run_conv(levels[i - 1], neck.down[i - 1][0]))
        levels[i] = relu(run_conv(levels[i] + fitted(halved, levels[i]), neck.join[i - 1][0]))
    assert_same(neck, levels)


def sampled(f, like):
    """Linear between the two places around the middle of each coarser cell."""
    for axis in (2, 3):
        n, m = f.shape[axis], like.shape[axis]
        at = (np.arange(m) + 0.5) * n / m - 0.5
        low = np.floor(at).astype(int)
        shape = [1] * 4
        shape[axis] = m
        share = (at - low).reshape(shape)
        upper = np.minimum(low + 1, n - 1)
        f = np.take(f, low, axis) * (1 - share) + np.take(f, upper, axis) * share
    return f


def node(part, *inputs):
    w = relu(array(part.weights))
    fused = sum(wi * f for wi, f in zip(w, inputs, strict=True)) / (w.sum() + 1e-4)
    return relu(conv_norm(run_conv(fused, part.depthwise), part.pointwise))


def test_bifpn() -> None:
    """The paper's equation for P6, for every level (section 3.3)."""
    neck = shake(BiFPN(channels=4, repeats=2).build(CHANNELS, Layers()))
    p = [conv_norm(array(level), neck.lateral[i]) for i, level in enumerate(LEVELS)]
    for layer in neck.layers:
        between = dict(enumerate(p))
        for i in (2, 1, 0):
            between[i] = node(layer.down[i], p[i], nearest(between[i + 1], p[i]))
        out = [between[0]]
        for i in (1, 2):
            out.append(node(layer.up[i - 1], p[i], between[i], sampled(out[-1], p[i])))
        out.append(node(layer.up[2], p[3], sampled(out[-1], p[3])))
        p = out
    assert_same(neck, p)
