"""Each stem against its source's formula."""

import numpy as np
from numpy_layers import array, assert_same, conv_norm, features, relu, run_conv, shake

from pocketdet.model import (
    ConvStem,
    FocusStem,
    HGStem,
    Layers,
    PatchStem,
    PeleeStem,
    PoolStem,
)


def picture(height=13, width=10):
    return features(2, 3, height, width)


def block(x, sequence):
    return relu(conv_norm(x, sequence))


def maximum(x, *, kernel, stride, padding=0, above=0):
    """Maxima over windows; a border of `padding` all round that never wins, as in Caffe."""
    spread = ((0, 0), (0, 0), (padding, padding + above), (padding, padding + above))
    x = np.pad(x, spread, constant_values=-np.inf)
    height = (x.shape[2] - kernel) // stride + 1
    width = (x.shape[3] - kernel) // stride + 1
    windows = [
        x[:, :, dy : dy + stride * height : stride, dx : dx + stride * width : stride]
        for dy in range(kernel)
        for dx in range(kernel)
    ]
    return np.max([w[:, :, :height, :width] for w in windows], axis=0)


def below_and_right(x, rows=1, columns=1):
    return np.pad(x, ((0, 0), (0, 0), (0, rows), (0, columns)))


def test_pelees_stem() -> None:
    stem = shake(PeleeStem(channels=8).build(Layers()))
    half = block(array(picture()), stem.stem1)
    assert half.shape[2:] == (7, 5)
    convolved = block(block(half, stem.stem2a), stem.stem2b)
    pooled = maximum(half, kernel=2, stride=2, above=1)
    expected = block(np.concatenate([convolved, pooled], axis=1), stem.stem3)
    assert_same(stem, picture(), expected)


def test_the_stem_of_plain_convolutions() -> None:
    stem = shake(ConvStem(channels=(4, 6, 8), strides=(2, 1, 2)).build(Layers()))
    assert [stem[i][0].stride[0] for i in range(3)] == [2, 1, 2]
    expected = block(block(block(array(picture()), stem[0]), stem[1]), stem[2])
    assert_same(stem, picture(), expected)


def test_the_patch_stem_projects_each_square() -> None:
    stem = shake(PatchStem(channels=5, patch=4).build(Layers()))
    padded = below_and_right(array(picture()), 3, 2)
    weight = array(stem[1][0].weight)
    projected = np.zeros((2, 5, 4, 3))
    for y in range(4):
        for x in range(3):
            square = padded[:, :, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
            projected[:, :, y, x] = np.einsum("bcyx,ocyx->bo", square, weight)
    spread = np.sqrt(array(stem[1][1].running_var) + stem[1][1].eps)
    scale = array(stem[1][1].weight) / spread
    shift = array(stem[1][1].bias) - array(stem[1][1].running_mean) * scale
    expected = projected * scale[None, :, None, None] + shift[None, :, None, None]
    assert_same(stem, picture(), expected)


def test_the_focus_stem_slices_as_yolov5_does() -> None:
    stem = shake(FocusStem(hidden=4, channels=6).build(Layers()))
    x = below_and_right(array(picture()), 1, 0)
    order = [(0, 0), (1, 0), (0, 1), (1, 1)]
    sliced = np.concatenate([x[:, :, row::2, column::2] for row, column in order], axis=1)
    assert sliced.shape == (2, 12, 7, 5)
    assert_same(stem, picture(), block(block(sliced, stem[2]), stem[3]))


def test_the_pooled_stem_of_shufflenet() -> None:
    stem = shake(PoolStem(channels=6).build(Layers()))
    half = block(array(picture()), stem[0])
    assert_same(stem, picture(), maximum(half, kernel=3, stride=2, padding=1))


def test_the_stem_of_hgnet() -> None:
    stem = shake(HGStem(hidden=8, channels=6).build(Layers()))

    def two_by_two(x, sequence):
        assert sequence[0].kernel_size == (2, 2)
        return relu(conv_norm(x, sequence))

    half = below_and_right(block(array(picture()), stem.stem1))
    one = maximum(half, kernel=2, stride=1)
    other = two_by_two(below_and_right(two_by_two(half, stem.stem2a)), stem.stem2b)
    joined = np.concatenate([one, other], axis=1)
    expected = block(block(joined, stem.stem3), stem.stem4)
    assert expected.shape == (2, 6, 4, 3)
    assert_same(stem, picture(), expected)


def test_run_conv_is_what_patches_and_strides_stand_on() -> None:
    """The helper on even kernels, which no other parity test uses."""
    stem = HGStem(hidden=4).build(Layers())
    given = features(1, 4, 3, 4)
    assert_same(stem.stem2a[0], given, run_conv(array(given), stem.stem2a[0]))
