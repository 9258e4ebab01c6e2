"""Each upsampling against its formula, written out anew in NumPy."""

import numpy as np
from numpy_layers import array, features, run_conv, shake
import pytest
import torch

from pocketdet.model import (
    CARAFE,
    Bicubic,
    Bilinear,
    Nearest,
    PixelShuffle,
    TransposedConv,
)

GIVEN = features(2, 6, 5, 4)
SIZES = [(10, 8), (9, 7), (5, 4), (13, 5)]


def linear(distance):
    return np.maximum(0, 1 - np.abs(distance))


def keys(distance, a=-0.75):
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def matrix(n: int, m: int, kernel, reach: int):
    """The (m, n) shares of coarse places in fine ones; beyond the border its place is repeated."""
    shares = np.zeros((m, n))
    for fine in range(m):
        at = (fine + 0.5) * n / m - 0.5
        if kernel is linear:
            at = max(at, 0)
        for tap in range(int(np.floor(at)) - reach + 1, int(np.floor(at)) + reach + 1):
            shares[fine, min(max(tap, 0), n - 1)] += kernel(at - tap)
    return shares


def resized(f, size, kernel=linear, reach=1):
    rows = matrix(f.shape[2], size[0], kernel, reach)
    columns = matrix(f.shape[3], size[1], kernel, reach)
    return np.einsum("yi,bcij,xj->bcyx", rows, f, columns)


def run(module, size):
    with torch.no_grad():
        return module.double()(GIVEN.double(), size).numpy()


def assert_close(result, expected) -> None:
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() < 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("size", SIZES)
def test_nearest(size) -> None:
    rows = [int((y + 0.5) * 5 / size[0]) for y in range(size[0])]
    columns = [int((x + 0.5) * 4 / size[1]) for x in range(size[1])]
    expected = array(GIVEN)[:, :, rows][:, :, :, columns]
    assert_close(run(Nearest().build(6), size), expected)


@pytest.mark.parametrize("size", SIZES)
def test_bilinear(size) -> None:
    assert_close(run(Bilinear().build(6), size), resized(array(GIVEN), size))


@pytest.mark.parametrize("size", SIZES)
def test_bicubic(size) -> None:
    assert_close(run(Bicubic().build(6), size), resized(array(GIVEN), size, keys, 2))


@pytest.mark.parametrize("size", SIZES)
def test_a_transposed_convolution_scatters_each_place(size) -> None:
    part = shake(TransposedConv().build(6))
    weight, f = (
        array(part.conv.weight),
        np.pad(array(GIVEN), ((0, 0), (0, 0), (1, 1), (1, 1)), "edge"),
    )
    out = np.zeros((2, 6, 16, 14))
    for y in range(7):
        for x in range(6):
            spread = np.einsum("bi,iokl->bokl", f[:, :, y, x], weight)
            out[:, :, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4] += spread
    assert_close(run(part, size), resized(out[:, :, 3:-3, 3:-3], size))


@pytest.mark.parametrize("size", SIZES)
def test_a_new_transposed_convolution_is_bilinear(size) -> None:
    assert_close(
        run(TransposedConv().build(6), size), resized(resized(array(GIVEN), (10, 8)), size)
    )


@pytest.mark.parametrize("size", SIZES)
def test_pixel_shuffle(size) -> None:
    part = shake(PixelShuffle().build(6))
    made = run_conv(array(GIVEN), part.conv)
    out = np.zeros((2, 6, 10, 8))
    for y in range(10):
        for x in range(8):
            for c in range(6):
                source = 4 * c + 2 * (y % 2) + x % 2
                out[:, c, y, x] = made[:, source, y // 2, x // 2]
    assert_close(run(part, size), resized(out, size))


def test_a_new_pixel_shuffle_is_nearest() -> None:
    expected = array(GIVEN).repeat(2, axis=2).repeat(2, axis=3)
    assert_close(run(PixelShuffle().build(6), (10, 8)), expected)


@pytest.mark.parametrize("size", SIZES)
def test_carafe(size) -> None:
    part = shake(CARAFE(hidden=5, kernel_size=3).build(6))
    logits = run_conv(run_conv(array(GIVEN), part.compress), part.encode)
    f = np.pad(array(GIVEN), ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((2, 6, 10, 8))
    for y in range(10):
        for x in range(8):
            taps = logits[:, [4 * tap + 2 * (y % 2) + x % 2 for tap in range(9)], y // 2, x // 2]
            weights = np.exp(taps) / np.exp(taps).sum(axis=1, keepdims=True)
            window = f[:, :, y // 2 : y // 2 + 3, x // 2 : x // 2 + 3].reshape(2, 6, 9)
            out[:, :, y, x] = (window * weights[:, None]).sum(-1)
    assert_close(run(part, size), resized(out, size))
