"""What has to hold for every neck with every upsampling: sizes, gradients, places."""

from dataclasses import fields, replace

from part_properties import assert_gradient_reaches_every_parameter
import pytest
import torch
from torch import Tensor, nn

from pocketdet import build, recipes
from pocketdet.conventions import InputContract
from pocketdet.model import BatchNorm, Layers, NoNeck, TopDown
from pocketdet.model.config_data import config_from_data, config_to_data
from pocketdet.model.neck import NECKS
from pocketdet.model.upsample import UPSAMPLES

CHAIN = (38, 19, 10, 5, 3, 1)
each_upsample = pytest.mark.parametrize("upsample", UPSAMPLES, ids=lambda kind: kind.__name__)
each_neck = pytest.mark.parametrize("neck", NECKS, ids=lambda kind: kind.__name__)


def with_upsample(neck, upsample, **others):
    known = {field.name for field in fields(neck)}
    given = {"upsample": upsample(), "channels": 8, **others}
    return neck(**{name: value for name, value in given.items() if name in known})


def maps(sizes, channels=6, batch=2) -> list[Tensor]:
    return [torch.randn(batch, channels, *size) for size in sizes]


@each_upsample
@pytest.mark.parametrize("fine", [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (7, 25), (2, 1)])
@pytest.mark.parametrize("ratio", [1, 2, 3])
@torch.no_grad()
def test_every_upsampling_gives_exactly_the_size_that_is_asked_for(upsample, fine, ratio) -> None:
    part = upsample().build(6)
    coarse = torch.randn(1, 6, -(-fine[0] // ratio), -(-fine[1] // ratio))
    result = part(coarse, fine)
    assert result.shape == (1, 6, *fine)
    assert result.isfinite().all()


@each_upsample
def test_a_gradient_reaches_every_parameter_of_an_upsampling(upsample) -> None:
    part = upsample().build(6)
    given = torch.randn(2, 6, 5, 4, requires_grad=True)
    output = part(given, (9, 8))
    (output * torch.randn_like(output)).sum().backward()
    assert all((p.grad != 0).any() for p in (given, *part.parameters()))


def centroid(response: Tensor) -> Tensor:
    """Where a (1, c, h, w) response lies in the picture, as (y, x) shares of it."""
    weights = response.abs().sum(dim=(0, 1))
    rows, columns = weights.shape
    y = (weights.sum(1) * (torch.arange(rows) + 0.5) / rows).sum() / weights.sum()
    x = (weights.sum(0) * (torch.arange(columns) + 0.5) / columns).sum() / weights.sum()
    return torch.stack([y, x])


@each_upsample
@pytest.mark.parametrize(("coarse", "fine"), [(1, 3), (3, 5), (5, 10), (10, 19), (19, 38)])
@torch.no_grad()
def test_every_upsampling_keeps_every_place(upsample, coarse: int, fine: int) -> None:
    part = upsample().build(2).eval()
    for cell in range(coarse):
        blob = torch.zeros(1, 2, coarse, coarse)
        blob[:, :, cell, coarse - 1 - cell] = 1
        true = (torch.tensor([cell, coarse - 1 - cell]) + 0.5) / coarse
        assert (centroid(part(blob, (fine, fine))) - true).abs().max() <= 0.5 / coarse


def only_sampling(neck: nn.Module) -> nn.Module:
    """Make each convolution of a neck a mean over channels that looks straight at its place.

    One of stride 2 looks at its neighbours too, or every second place would be lost. What is
    left is how maps are brought from size to size.
    """
    upsampling = {
        id(m) for u in neck.modules() if "upsample" in type(u).__module__ for m in u.modules()
    }
    for module in neck.modules():
        if not isinstance(module, nn.Conv2d) or id(module) in upsampling:
            continue
        nn.init.zeros_(module.weight)
        line = torch.tensor([0.25, 0.5, 0.25] if module.stride[0] == 2 else [0.0, 1.0, 0.0])
        kernel = torch.outer(line, line) if module.kernel_size[0] == 3 else torch.ones(1, 1)
        module.weight += kernel / module.weight.shape[1]
    return neck.eval()


def blob(sizes: tuple[int, int], across: int, cell: int) -> Tensor:
    """A box as large as one cell of a grid `across` cells wide, on a finer or equal map."""

    def inside(n: int, at: int) -> Tensor:
        return ((torch.arange(n) + 0.5) / n * across).floor() == at

    rows, columns = inside(sizes[0], cell), inside(sizes[1], across // 3)
    return (rows[:, None] & columns).float().expand(1, 2, *sizes) * 100


@each_neck
@each_upsample
@torch.no_grad()
def test_a_blob_stays_at_its_place_at_every_level_of_every_neck(neck, upsample) -> None:
    """A blob the size of the coarser map's cell, on any level, shows within half such a cell."""
    sizes = [(n, n + 1) for n in CHAIN]
    built = with_upsample(neck, upsample, repeats=1).build((2,) * len(CHAIN), Layers())
    part = only_sampling(built)
    silent = part([torch.zeros(1, 2, *size) for size in sizes])
    seen = 0
    for source, at in [(s, a) for s in range(5) for a in range(5)]:
        across = min(CHAIN[source], CHAIN[at])
        for cell in sorted({0, across // 2, across - 1}):
            levels = [torch.zeros(1, 2, *size) for size in sizes]
            levels[source] = blob(sizes[source], across, cell)
            response = part(levels)[at] - silent[at]
            if response.abs().max() > 1e-3:
                seen += 1
                away = (centroid(response) - centroid(levels[source])).abs() * across
                assert away.max() <= 0.5, (CHAIN[source], CHAIN[at], cell, away)
    pairs = {"NoNeck": 5, "TopDown": 15, "PAN": 25, "BiFPN": 25}[neck.__name__]
    assert seen == 3 * pairs


@each_neck
@each_upsample
@pytest.mark.parametrize("sizes", [((7, 9), (4, 5), (2, 3)), ((5, 3),)], ids=["three", "one"])
def test_every_neck_keeps_every_levels_size_and_reaches_every_parameter(
    neck, upsample, sizes
) -> None:
    part = with_upsample(neck, upsample).build((6,) * len(sizes), Layers())
    levels = maps(sizes, batch=3)
    results = part(levels)
    assert [r.shape[2:] for r in results] == [level.shape[2:] for level in levels]
    if neck is not NoNeck:
        assert {r.shape[1] for r in results} == {8}
        every = _Joined(part)
        assert_gradient_reaches_every_parameter(every, *levels)


class _Joined(nn.Module):
    def __init__(self, neck: nn.Module) -> None:
        super().__init__()
        self.neck = neck

    def forward(self, *levels: Tensor) -> Tensor:
        return torch.cat([level.flatten(1) for level in self.neck(list(levels))], dim=1)


@each_neck
@torch.no_grad()
def test_images_do_not_mix_in_a_neck(neck) -> None:
    part = with_upsample(neck, UPSAMPLES[0]).build((6, 6), Layers()).eval()
    levels = maps([(6, 6), (3, 3)])
    others = [torch.cat([level[:1], torch.randn_like(level[1:])]) for level in levels]
    for mine, same in zip(part(levels), part(others), strict=True):
        assert torch.allclose(mine[:1], same[:1], atol=1e-5)


@each_neck
@each_upsample
def test_every_neck_survives_the_way_through_plain_data(neck, upsample) -> None:
    config = replace(recipes.PELEE_TINY, neck=with_upsample(neck, upsample))
    assert config_from_data(config_to_data(config)) == config


@each_neck
@pytest.mark.parametrize(("height", "width"), [(97, 161), (64, 96)])
@torch.no_grad()
def test_pelees_five_levels_pass_every_neck_at_odd_sizes(neck, height: int, width: int) -> None:
    contract = InputContract(height=height, width=width)
    config = replace(recipes.PELEE_38, neck=with_upsample(neck, UPSAMPLES[0]), input=contract)
    detector = build(config, num_classes=2).eval()
    predictions = detector(torch.zeros(1, 3, height, width))
    assert predictions.class_logits.isfinite().all()


def test_a_map_of_38_by_38_is_one_recipe_away() -> None:
    detector = build(recipes.PELEE_38, num_classes=20).eval()
    with torch.no_grad():
        sizes = [tuple(level.shape[2:]) for level in detector.levels(torch.zeros(1, 3, 304, 304))]
    assert sizes == [(n, n) for n in CHAIN]
    assert detector.level_names[0] == "neck.p3"
    assert len(detector.priors_cxcywh) == 5142 + 38 * 38 * 6
    assert detector.priors_cxcywh[:, 2:].min() < 0.05 * 304
    assert recipes.PELEE_38.head.priors[1:] == tuple(
        replace(prior, source=prior.source + 1) for prior in recipes.PELEE.head.priors
    )


def test_the_necks_own_norm_holds_and_the_activation_is_the_detectors() -> None:
    part = TopDown(channels=4, norm=BatchNorm()).build((3, 3), Layers())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in part.modules()) == 4
