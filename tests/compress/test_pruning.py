"""Pruning: exact, for every part that a config can name, and by every criterion."""

from dataclasses import dataclass, replace

from compress_data import tiny_detector, write_squares
import numpy as np
import pytest
from tiny_training import TINY
import torch
from torch import nn

from pocketdet.compress import CompressionRequest, FineTuning, run_compression
from pocketdet.compress.channels.discrimination import Discrimination
from pocketdet.compress.channels.lasso import Lasso, Reconstruction
from pocketdet.compress.channels.ratios import Limits, ranked, strength_for, uniform
from pocketdet.compress.channels.removal import TOLERANCE, prove_equal, without_units
from pocketdet.compress.channels.scores import BNScale, Magnitude, Taylor
from pocketdet.compress.channels.units import find_groups
from pocketdet.compress.prune import Prune, for_milliseconds
from pocketdet.compress.result_folder import save_detector
from pocketdet.model import (
    CARAFE,
    CBAM,
    ECA,
    PAN,
    SE,
    BiFPN,
    CoordAtt,
    CSPDense,
    DenseStage,
    Detector,
    DetectorConfig,
    FocusStem,
    GFLHead,
    Ghost,
    GhostConv,
    GlobalContext,
    GroupedConv,
    GroupNorm,
    HGStem,
    InvertedResidual,
    L2Norm,
    LayerNorm,
    NonLocal,
    NoNorm,
    PartialConv,
    PixelShuffle,
    PlacedAttention,
    PReLU,
    RandWire,
    RepVGG,
    SeparableConv,
    SiLU,
    SimAM,
    SSDLiteHead,
    TopDown,
    TransposedConv,
)
from pocketdet.model.cost import count_macs
from pocketdet.model.saved_detector import detector_from_data, detector_to_data

NECK = TopDown(channels=16)

CONFIGS: dict[str, DetectorConfig] = {
    "pelee": TINY,
    "separable, SE": replace(TINY, conv=SeparableConv(), attention=SE()),
    "grouped, HGNet": replace(TINY, conv=GroupedConv(), stem=HGStem(hidden=8, channels=16)),
    "ghost of three, CoordAtt": replace(TINY, conv=GhostConv(ratio=3), attention=CoordAtt()),
    "partial, focus": replace(TINY, conv=PartialConv(), stem=FocusStem(hidden=8, channels=16)),
    "group norm, PAN": replace(TINY, norm=GroupNorm(group_channels=4), neck=PAN(channels=16)),
    "layer norm": replace(TINY, norm=LayerNorm()),
    "L2 norm, SimAM": replace(TINY, norm=L2Norm(), attention=SimAM()),
    "no norm, PReLU, non-local": replace(
        TINY, norm=NoNorm(), activation=PReLU(), attention=NonLocal()
    ),
    "CBAM, SiLU": replace(TINY, attention=CBAM(), activation=SiLU()),
    "ECA, BiFPN": replace(TINY, attention=ECA(), neck=BiFPN(channels=16)),
    "context, identity start": replace(
        TINY,
        attention=(
            PlacedAttention(block=GlobalContext(), after=("stages",)),
            PlacedAttention(block=SE(), after=("head",), start="identity"),
        ),
    ),
    "CARAFE": replace(TINY, neck=replace(NECK, upsample=CARAFE(hidden=8))),
    "pixel shuffle": replace(TINY, neck=replace(NECK, upsample=PixelShuffle())),
    "transposed": replace(TINY, neck=replace(NECK, upsample=TransposedConv())),
    "CSP": replace(TINY, stages=(CSPDense(num_layers=2, growth=8),) * 2),
    "dense": replace(TINY, stages=(DenseStage(num_layers=2, growth=8),) * 2),
    "ghost": replace(TINY, stages=(Ghost(channels=16, num_layers=2, squeeze=4),) * 2),
    "inverted": replace(TINY, stages=(InvertedResidual(channels=16, num_layers=2),) * 2),
    "random wires": replace(TINY, stages=(RandWire(channels=16),) * 2),
    "RepVGG": replace(TINY, stages=(RepVGG(channels=16, num_layers=2),) * 2),
    "points": replace(TINY, head=GFLHead(channels=16)),
    "shared head": replace(TINY, head=SSDLiteHead(channels=16, priors=TINY.head.priors)),
}


def lively(config: DetectorConfig) -> Detector:
    """A detector in which nothing is zero, one or a mean of nothing by chance of its start."""
    detector = tiny_detector(config)
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
    for parameter in detector.parameters():
        if parameter.dim() < 2 or not bool(parameter.any()):
            parameter.data += 0.1 * torch.randn_like(parameter)
    return detector


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_pruned_equals_what_is_masked_counts_right_and_reloads(name):
    detector = lively(CONFIGS[name])
    groups = find_groups(detector)
    image = torch.randn(1, 3, 64, 64)
    assert groups.macs([]) == count_macs(detector, image)
    removed = [unit for group in groups.groups for unit in group.units[1::2]]
    pruned = without_units(detector, groups, removed)
    assert prove_equal(pruned, detector, removed) < TOLERANCE
    assert groups.macs(removed) == count_macs(pruned, image) < groups.macs([])
    loaded = detector_from_data(detector_to_data(pruned)).eval()
    for one, other in zip(loaded(image), pruned(image), strict=True):
        assert torch.equal(one, other)
    # What was pruned once can be pruned again.
    again = find_groups(loaded)
    removed = [unit for group in again.groups for unit in group.units[2::3]]
    assert prove_equal(without_units(loaded, again, removed), loaded, removed) < TOLERANCE


def test_what_predicts_and_what_is_averaged_over_channels_stays_and_is_said():
    kept = find_groups(lively(CONFIGS["CBAM, SiLU"])).kept
    assert "laid out anew" in kept["head.class_convs.0"]
    assert any("mean or maximum over channels in attention" in why for why in kept.values())


def test_a_wrong_removal_is_noticed():
    detector = lively(TINY)
    groups = find_groups(detector)
    removed = [group.units[0] for group in groups.groups]
    pruned = without_units(detector, groups, [group.units[1] for group in groups.groups])
    with pytest.raises(RuntimeError, match="differs from the masked one"):
        prove_equal(pruned, detector, removed)


@pytest.mark.parametrize("kind", [uniform, ranked])
@pytest.mark.parametrize("share", [0.7, 0.4])
def test_the_target_in_macs_is_met_and_not_overshot(kind, share):
    detector = lively(replace(TINY, head=replace(TINY.head, channels=64)))
    groups = find_groups(detector)
    choose = kind(groups, Magnitude().scores(detector, groups, None), Limits())
    whole = groups.macs([])
    units = choose(strength_for(choose, lambda units: groups.macs(units), share * whole))
    assert 0.85 * share < groups.macs(units) / whole <= share


def test_the_channels_with_the_smallest_kernels_go():
    detector = lively(TINY)
    detector.extras[0].squeeze[0].weight.data[[1, 4]] *= 1e-3
    groups = find_groups(detector)
    scores = Magnitude().scores(detector, groups, None)
    place = next(n for n, g in enumerate(groups.groups) if g.name == "extras.0.squeeze.0")
    assert set(scores[place].argsort()[:2].tolist()) == {1, 4}


SCORES = {
    "l2": (TINY, Magnitude(norm="l2")),
    "scale": (TINY, BNScale()),
    "taylor": (TINY, Taylor(num_batches=2)),
    "lasso": (TINY, Lasso(num_images=4)),
    "discrimination": (TINY, Discrimination(num_batches=2)),
    "discrimination of points": (CONFIGS["points"], Discrimination(num_batches=1)),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_pruned_run_loads_with_fewer_macs(tmp_path, name):
    config, score = SCORES[name]
    save_detector(tmp_path / "detector.pt", lively(config))
    step = Prune(macs=0.5, score=score, stages=2, fine_tune=FineTuning(epochs=0.5))
    report = run_compression(
        CompressionRequest(
            run=tmp_path / "detector.pt",
            steps=(step,),
            data=str(write_squares(tmp_path)),
            out=tmp_path,
            name="pruned",
            runtime="eager",
        )
    )
    assert report.steps[0].figures.macs <= 0.5 * report.start.macs
    loaded = Detector.load(tmp_path / "pruned")
    assert count_macs(loaded, torch.zeros(1, 3, 64, 64)) == report.steps[0].figures.macs
    assert report.steps[0].said["figures"]["difference from masked"] < TOLERANCE


class Images:
    """A workbench that has only noise to calibrate on."""

    seed = 0

    def calibration_images(self, detector, number):
        return torch.randn(number, 3, 64, 64, generator=torch.Generator().manual_seed(1))

    def progress(self, doing, done, total):
        pass


def test_lasso_keeps_what_the_next_layer_needs_not_what_is_large():
    detector = lively(TINY)
    reader = detector.extras[0].reduce[0]
    with torch.no_grad():
        reader.weight[:, [0, 3]] *= 1e-3  # large where they are made, hardly read
        detector.extras[0].squeeze[0].weight[[0, 3]] *= 10
        detector.extras[0].squeeze[1].bias.fill_(2.0)  # none is silent behind the ReLU
    groups = find_groups(detector)
    place = next(n for n, g in enumerate(groups.groups) if g.name == "extras.0.squeeze.0")
    lasso = Lasso(num_images=4).scores(detector, groups, Images())[place]
    assert set(lasso.argsort()[:2].tolist()) == {0, 3}
    size = Magnitude().scores(detector, groups, None)[place]
    assert set(size.argsort()[-2:].tolist()) == {0, 3}


@torch.no_grad()
def last_level_differs(one: Detector, other: Detector) -> float:
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    return float((one.levels(image)[-1] - other.levels(image)[-1]).abs().max())


def test_reconstruction_restores_a_channel_that_others_can_stand_for():
    detector = lively(TINY)
    squeeze = detector.extras[0].squeeze
    with torch.no_grad():
        for tensor in (squeeze[0].weight, *squeeze[1].state_dict().values()):
            if tensor.dim():
                tensor[1] = tensor[0]
    groups = find_groups(detector)
    group = next(g for g in groups.groups if g.name == "extras.0.squeeze.0")
    removed = [group.units[1]]
    pruned = without_units(detector, groups, removed)
    before = last_level_differs(pruned, detector)
    bench = Images()
    Reconstruction(num_images=24, places=30).refit(detector, pruned, groups, removed, bench)
    assert last_level_differs(pruned, detector) < 0.05 * before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"macs": 1.5}, "`macs`"),
        ({"macs": 0.5, "milliseconds": 3.0}, "one target each"),
        ({"stages": 0}, "at least 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Prune(**settings)


def test_a_pruned_detector_exports_and_agrees():
    import onnxruntime

    from pocketdet.compress.runtimes import detector_as_onnx

    detector = lively(TINY)
    groups = find_groups(detector)
    removed = [unit for group in groups.groups for unit in group.units[1::2]]
    pruned = without_units(detector, groups, removed)
    image = torch.randn(1, 3, 64, 64)
    session = onnxruntime.InferenceSession(detector_as_onnx(pruned, image))
    found = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.no_grad():
        for one, other in zip(found, pruned(image)[:2], strict=True):
            assert torch.allclose(torch.from_numpy(one), other, atol=1e-4)


class _Rolled(nn.Module):
    """Reads other channels than its own by an operator that nobody has a rule for."""

    def forward(self, features):
        return features + torch.roll(features, 1, dims=1)


@dataclass(frozen=True, kw_only=True)
class Rolled:
    def build(self, channels):
        return _Rolled()


def test_an_own_part_with_an_unknown_operator_keeps_its_channels_and_stays_exact():
    detector = lively(replace(TINY, attention=Rolled()))
    groups = find_groups(detector)
    assert any("`roll` in attention.stage1" in why for why in groups.kept.values())
    removed = [unit for group in groups.groups for unit in group.units[1::2]]
    pruned = without_units(detector, groups, removed)
    assert prove_equal(pruned, detector, removed) < TOLERANCE


def test_a_target_in_milliseconds_is_measured_and_met(tmp_path):
    detector = lively(replace(TINY, head=replace(TINY.head, channels=64)))
    groups = find_groups(detector)
    choose = uniform(groups, Magnitude().scores(detector, groups, None), Limits())
    whole = groups.macs([])

    class Clock(Images):
        """Takes a millisecond and a thousandth of one for each thousand MACs."""

        def latencies(self, detectors):
            image = torch.zeros(1, 3, 64, 64)
            return {n: Told(1 + count_macs(d, image) / 1e6) for n, d in detectors.items()}

    target = 1 + 0.6 * whole / 1e6
    macs = for_milliseconds(detector, groups, choose, Clock(), target)
    assert 0.5 * whole < macs <= 0.6 * whole
    with pytest.raises(ValueError, match="could not"):
        for_milliseconds(detector, groups, choose, Clock(), 1.0)


@dataclass
class Told:
    least: float


@pytest.mark.parametrize("name", ["separable, SE", "grouped, HGNet", "partial, focus"])
def test_lasso_ranks_what_no_plain_convolution_reads_by_its_own_kernels(name):
    detector = lively(CONFIGS[name])
    groups = find_groups(detector)
    scores = Lasso(num_images=2).scores(detector, groups, Images())
    assert all(np.isfinite(own).all() for own in scores)
