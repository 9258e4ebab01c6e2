"""Width and depth multipliers."""

from dataclasses import dataclass, replace

from backbone_examples import example, name_of
import pytest
import torch
from torch import nn

from pocketdet import build, load_config, recipes
from pocketdet.model import (
    BiFPN,
    ConvStem,
    ExtraConvs,
    GFLHead,
    Layers,
    PeleeHead,
    PeleeStem,
    RandWire,
    TopDown,
    TwoWayDense,
    WattsStrogatz,
    scaled,
)
from pocketdet.model.config_data import config_from_data, config_to_data
from pocketdet.model.cost import count_parameters
from pocketdet.model.stage import STAGES
from pocketdet.model.stem import STEMS

TINY = recipes.PELEE_TINY


@pytest.mark.parametrize("config", recipes.names().values(), ids=list(recipes.names()))
def test_a_factor_of_one_changes_nothing(config) -> None:
    assert scaled(config) == config


def test_every_width_and_depth_of_pelee_is_scaled() -> None:
    small = scaled(recipes.PELEE, width=0.5, depth=0.67)
    assert small == replace(
        recipes.PELEE,
        stem=PeleeStem(channels=16),
        stages=(
            TwoWayDense(num_layers=2, growth=16, bottleneck_width=1, stride=1),
            TwoWayDense(num_layers=3, growth=16, bottleneck_width=2),
            TwoWayDense(num_layers=5, growth=16, bottleneck_width=4),
            TwoWayDense(num_layers=4, growth=16, bottleneck_width=4),
        ),
        extras=(
            ExtraConvs(hidden=128, channels=128, stride=2),
            ExtraConvs(hidden=64, channels=128, stride=1),
            ExtraConvs(hidden=64, channels=128, stride=1),
        ),
        head=PeleeHead(channels=128),
    )


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(32, 0.5, 16), (24, 0.75, 24), (24, 0.5, 16), (8, 0.1, 8), (100, 0.33, 32), (16, 1.5, 24)],
)
def test_widths_are_multiples_of_eight_and_lose_no_more_than_a_tenth(
    channels, width, expected
) -> None:
    stem = scaled(replace(TINY, stem=PeleeStem(channels=channels)), width=width).stem
    assert stem.channels == expected
    assert stem.channels >= 0.9 * channels * width


def test_at_least_one_layer_stays() -> None:
    shallow = scaled(TINY, depth=0.01)
    assert [stage.num_layers for stage in shallow.stages] == [1, 1, 1, 1]


def test_tuples_of_widths_and_nested_parts_are_scaled() -> None:
    config = replace(TINY, stem=ConvStem(channels=(16, 32)), neck=TopDown(channels=128))
    assert scaled(config, width=0.5).stem.channels == (8, 16)
    assert scaled(config, width=0.5).neck.channels == 64


def test_other_heads_and_necks_are_scaled_too() -> None:
    config = replace(TINY, head=GFLHead(channels=96, num_convs=2), neck=BiFPN(repeats=2))
    small = scaled(config, width=0.5, depth=0.5)
    assert (small.head.channels, small.head.num_convs) == (48, 1)
    assert (small.neck.channels, small.neck.repeats) == (32, 1)


def test_a_drawn_graph_keeps_its_nodes() -> None:
    stage = RandWire(channels=32, graph=WattsStrogatz(num_nodes=8))
    config = replace(TINY, stages=(*TINY.stages[:-1], stage))
    last = scaled(config, width=0.5, depth=0.5).stages[-1]
    assert last == RandWire(channels=16, graph=stage.graph)


@pytest.mark.parametrize("kind", [*STEMS, *STAGES], ids=name_of)
def test_a_detector_of_any_part_scales_both_ways(kind) -> None:
    if kind in STEMS:
        config = replace(TINY, stem=example(kind))
    else:
        small_graph = {"graph": WattsStrogatz(num_nodes=8)}
        chosen = {name: v for name, v in small_graph.items() if name in kind.__dataclass_fields__}
        config = replace(TINY, stages=(*TINY.stages[:-1], example(kind, **chosen)))
    sizes = []
    for width, depth in ((0.25, 0.5), (1.0, 1.0), (1.5, 2.0)):
        detector = build(scaled(config, width=width, depth=depth), num_classes=2).eval()
        with torch.no_grad():
            assert bool(detector(torch.zeros(1, 3, 64, 64)).class_logits.isfinite().all())
        sizes.append(count_parameters(detector))
    assert sizes[0] < sizes[1] < sizes[2]


@dataclass(frozen=True, kw_only=True)
class OwnStage:
    channels: int = 64
    num_blocks: int = 2
    span: int = 3

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        stage = nn.Sequential(layers.conv(in_channels, self.channels, self.span, stride=2))
        for _ in range(self.num_blocks - 1):
            stage.append(layers.conv(self.channels, self.channels, self.span))
        return stage


def test_a_part_of_ones_own_takes_part_by_its_fields_names() -> None:
    config = replace(TINY, stages=(*TINY.stages[:-1], OwnStage()))
    own = scaled(config, width=0.5, depth=0.5).stages[-1]
    assert own == OwnStage(channels=32, num_blocks=1, span=3)
    assert build(scaled(config, width=0.5), num_classes=2) is not None


def test_a_config_file_scales_what_results_from_it(tmp_path) -> None:
    (tmp_path / "half.yaml").write_text(
        "base: PELEE\nwidth: 0.5\ndepth: 0.67\nhead: {PeleeHead: {channels: 128}}\n"
    )
    loaded = load_config(tmp_path / "half.yaml")
    expected = scaled(recipes.PELEE, width=0.5, depth=0.67)
    assert loaded == replace(expected, head=PeleeHead(channels=64))
    (tmp_path / "again.yaml").write_text("base: half.yaml\nwidth: 2")
    assert load_config(tmp_path / "again.yaml").stem == PeleeStem(channels=32)
    assert config_from_data(config_to_data(loaded)) == loaded


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"width": 0}, "`width` must be a number above 0; got 0"),
        ({"depth": -1.0}, "`depth` must be a number above 0; got -1.0"),
        ({"width": "half"}, "`width` must be a number above 0; got 'half'"),
        ({"width": True}, "`width` must be a number above 0; got True"),
        ({"widht": 0.5}, "`widht` is no field of `config`.*Did you mean `width`"),
        ({"dept": 0.5}, "Did you mean `depth`"),
        ({"stem": {"PeleeStem": {"width": 8}}}, "`width` is no field of `stem.PeleeStem`"),
    ],
)
def test_a_wrong_factor_is_refused(data, message) -> None:
    with pytest.raises(ValueError, match=message):
        config_from_data(data)
