"""Each part against its published formula, written out anew in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from pocketdet.model import CBAM, BatchNorm, Bilinear, ExtraConvs, Layers, Nearest, TopDown
from pocketdet.model.stage import TwoWayDense, bottleneck_channels, mean_pool
from pocketdet.model.stem import PeleeStem


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@torch.no_grad()
def test_cbam_is_the_papers_formula() -> None:
    block = CBAM(reduction=4).build(8).eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    features = torch.randn(2, 8, 5, 6)
    channel, spatial = block[0], block[1]

    f = features.numpy()
    w1, b1 = channel.mlp[0].weight.numpy(), channel.mlp[0].bias.numpy()
    w2, b2 = channel.mlp[2].weight.numpy(), channel.mlp[2].bias.numpy()

    def mlp(v):
        return np.maximum(v @ w1.T + b1, 0) @ w2.T + b2

    gate = sigmoid(mlp(f.mean(axis=(2, 3))) + mlp(f.max(axis=(2, 3))))
    f = f * gate[:, :, None, None]
    pooled = np.pad(
        np.stack([f.max(axis=1), f.mean(axis=1)], axis=1), ((0, 0), (0, 0), (3, 3), (3, 3))
    )
    kernel = spatial.conv.weight.numpy()[0]
    logits = np.zeros((2, 5, 6))
    for y in range(5):
        for x in range(6):
            logits[:, y, x] = (pooled[:, :, y : y + 7, x : x + 7] * kernel).sum(axis=(1, 2, 3))
    scale = spatial.norm.weight.numpy()[0] / np.sqrt(1 + 1e-5)
    f = f * sigmoid(logits * scale + spatial.norm.bias.numpy()[0])[:, None]
    assert np.abs(block(features).numpy() - f).max() < 1e-5


def test_the_pool_rounds_up_and_counts_only_real_places() -> None:
    pooled = mean_pool()(torch.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]]))
    assert pooled.tolist() == [[[[3.0, 4.5], [7.5, 9.0]]]]


@pytest.mark.parametrize(
    ("in_channels", "growth", "width", "expected"),
    [(32, 32, 1, 16), (128, 32, 2, 32), (256, 32, 4, 64), (32, 32, 4, 16), (24, 32, 4, 12)],
)
def test_the_bottleneck_is_cut_to_half_of_its_input(in_channels, growth, width, expected) -> None:
    assert bottleneck_channels(in_channels, growth, width) == expected


def test_a_two_way_dense_stage_keeps_its_input_as_the_first_channels() -> None:
    stage = TwoWayDense(num_layers=2, growth=8, stride=1).build(16, Layers())
    features = torch.rand(1, 16, 7, 5)
    grown = stage.dense2(stage.dense1(features))
    assert grown.shape == (1, 32, 7, 5)
    assert torch.equal(grown[:, :16], features)
    assert stage(features).shape == (1, 32, 7, 5)


def test_the_long_way_sees_two_places_further_and_the_short_way_one() -> None:
    stage = TwoWayDense(num_layers=1, growth=8, stride=1).build(4, Layers()).eval()
    features = torch.rand(1, 4, 9, 9, requires_grad=True)
    for part, reach in ((stage.dense1.short, 3), (stage.dense1.long, 5)):
        (gradient,) = torch.autograd.grad(part(features)[0, :, 4, 4].sum(), features)
        rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
        assert int(rows.max() - rows.min()) + 1 <= reach
    assert reach == 5


@pytest.mark.parametrize("size", [31, 32, 33, 304])
def test_both_ways_of_the_stem_agree_on_every_size(size: int) -> None:
    stem = PeleeStem(channels=8).build(Layers())
    assert stem(torch.zeros(2, 3, size, size + 1)).shape[-2:] == (
        -(-size // 4),
        -(-(size + 1) // 4),
    )


@pytest.mark.parametrize(("size", "expected"), [(10, 5), (5, 3), (3, 2), (1, 1)])
def test_an_extra_level_of_stride_two_halves_rounding_up(size: int, expected: int) -> None:
    extra = ExtraConvs(hidden=4, channels=8).build(6, Layers())
    assert extra(torch.zeros(1, 6, size, size)).shape == (1, 8, expected, expected)


@pytest.mark.parametrize(("size", "expected"), [(5, 3), (3, 1), (2, 1), (1, 1)])
def test_an_unpadded_extra_level_takes_any_size(size: int, expected: int) -> None:
    extra = ExtraConvs(hidden=4, channels=8, stride=1).build(6, Layers())
    assert extra(torch.zeros(1, 6, size, 5)).shape == (1, 8, expected, 3)


def test_extras_have_biases_when_they_have_no_norm() -> None:
    plain = ExtraConvs(hidden=4, channels=8).build(6, Layers(norm=BatchNorm()))
    normed = ExtraConvs(hidden=4, channels=8, norm=BatchNorm()).build(6, Layers())
    assert plain.squeeze[0].bias is not None
    assert normed.squeeze[0].bias is None


@pytest.mark.parametrize("upsample", [Nearest(), Bilinear()])
@pytest.mark.parametrize("fine", [(38, 38), (19, 25), (3, 5), (2, 1)])
def test_upsampling_keeps_places(upsample, fine) -> None:
    """A ramp over the picture stays the same ramp, within half a coarse cell."""
    coarse = (-(-fine[0] // 2), -(-fine[1] // 2))
    ramp = ((torch.arange(coarse[1]) + 0.5) / coarse[1]).expand(1, 1, *coarse).contiguous()
    result = upsample.build(1)(ramp, fine)
    expected = (torch.arange(fine[1]) + 0.5) / fine[1]
    assert result.shape[-2:] == fine
    assert (result[0, 0, 0] - expected).abs().max() <= 0.5 / coarse[1] + 1e-6


@torch.no_grad()
def test_the_top_down_neck_adds_the_upsampled_coarser_sum() -> None:
    neck = TopDown(channels=4).build((3, 5), Layers())
    fine, coarse = torch.randn(1, 3, 5, 5), torch.randn(1, 5, 3, 3)
    out_fine, out_coarse = neck([fine, coarse])

    def conv(weights, x):
        return torch.nn.functional.conv2d(x, weights.weight, weights.bias, padding=weights.padding)

    top = conv(neck.lateral[1][0], coarse)
    index = ((torch.arange(5) + 0.5) * 3 / 5).long()
    merged = conv(neck.lateral[0][0], fine) + top[:, :, index][:, :, :, index]
    assert torch.allclose(out_coarse, conv(neck.smooth[1][0], top), atol=1e-5)
    assert torch.allclose(out_fine, conv(neck.smooth[0][0], merged), atol=1e-5)
