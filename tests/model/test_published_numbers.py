"""Pelee as published: Wang et al. 2018, arXiv 1804.06882, and the authors' Caffe release."""

from dataclasses import replace

import pytest
import torch

from pocketdet import recipes
from pocketdet.model import PeleeHead, PeleeNet, build
from pocketdet.model.cost import count_macs, count_parameters
from pocketdet.model.fold import fold_batch_norm


@pytest.fixture(scope="module")
def pelee():
    return build(recipes.PELEE, num_classes=20)


def test_the_merged_voc_model_has_the_published_number_of_parameters(pelee) -> None:
    assert count_parameters(fold_batch_norm(pelee)) == 5_417_188
    assert count_parameters(pelee) == 5_425_892


def test_the_voc_model_has_the_published_number_of_macs(pelee) -> None:
    assert count_macs(pelee, torch.zeros(1, 3, 304, 304)) == 1_204_968_960


def test_the_ablation_with_three_by_three_heads_has_its_published_size(pelee) -> None:
    wide = build(replace(recipes.PELEE, head=PeleeHead(kernel_size=3)), num_classes=20)
    assert count_parameters(wide) == pytest.approx(7.27e6, rel=0.005)
    assert count_macs(wide, torch.zeros(1, 3, 304, 304)) == pytest.approx(1.470e9, rel=0.005)


def test_the_maps_round_up_as_in_caffe(pelee) -> None:
    levels = pelee.levels(torch.zeros(1, 3, 304, 304))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (512, 19, 19),
        (704, 10, 10),
        (256, 5, 5),
        (256, 3, 3),
        (256, 1, 1),
    ]


def test_the_finest_residual_block_feeds_two_heads(pelee) -> None:
    seen = []
    pelee.head.blocks[0].register_forward_hook(lambda *call: seen.append(call[2]))
    fed = []
    for convolution in pelee.head.class_convs[:2]:
        convolution.register_forward_hook(lambda *call: fed.append(call[1][0]))
    pelee.eval()(torch.zeros(1, 3, 304, 304))
    assert len(seen) == 1
    assert all(level is seen[0] for level in fed)
    assert len(fed) == 2


def test_there_are_5142_priors(pelee) -> None:
    assert pelee.priors_cxcywh.shape == (19 * 19 * 12 + 100 * 6 + 25 * 6 + 9 * 6 + 6, 4)


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        (recipes.PELEE, [30.4, 60.8, 112.48, 164.16, 215.84, 267.52, 319.2]),
        (recipes.PELEE_COCO, [21.28, 45.6, 100.32, 155.04, 209.76, 264.48, 319.2]),
    ],
)
def test_the_priors_have_the_published_sizes_at_304(config, sizes) -> None:
    levels = config.head.priors
    assert [level.smallest * 304 for level in levels] == pytest.approx(sizes[:-1])
    assert [level.largest * 304 for level in levels] == pytest.approx(sizes[1:])


def test_the_coco_model_has_the_published_size() -> None:
    detector = build(recipes.PELEE_COCO, num_classes=80)
    assert count_parameters(detector) == 5_981_012
    assert count_macs(detector, torch.zeros(1, 3, 304, 304)) == pytest.approx(1.29e9, rel=0.01)


def test_peleenet_has_the_published_size() -> None:
    network = PeleeNet()
    assert count_parameters(network) == pytest.approx(2.8e6, rel=0.005)
    assert count_macs(network, torch.zeros(1, 3, 224, 224)) == pytest.approx(508e6, rel=0.005)


def test_peleenet_and_the_detector_share_their_backbone_names() -> None:
    backbone = {
        name: tensor.shape
        for name, tensor in PeleeNet().state_dict().items()
        if name.startswith(("stem.", "stages."))
    }
    detector = build(recipes.PELEE, num_classes=20).state_dict()
    assert all(detector[name].shape == shape for name, shape in backbone.items())
    assert len(backbone) == sum(name.startswith(("stem.", "stages.")) for name in detector)


def test_the_input_contract_is_the_caffe_release() -> None:
    contract = recipes.PELEE.input
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).reshape(3, 1, 1)
    blue_green_red = contract.normalize(red).flatten().tolist()
    assert blue_green_red == pytest.approx(
        [-103.94 * 0.017, -116.78 * 0.017, (255 - 123.68) * 0.017], abs=1e-5
    )
