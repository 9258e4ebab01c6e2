"""What is equal in two configs starts equal, and both see the same."""

from dataclasses import dataclass, replace

from small_trial import SMALL, small_settings, small_trial
import torch
from torch import Tensor, nn

from pocketdet.conventions import ClassList
from pocketdet.model import CBAM, Detector, DetectorConfig, TwoWayDense, build
from pocketdet.train.events import BatchSeen
from pocketdet.trial import Steps, run_trial
from pocketdet.trial.start import starting_detector

CLASSES = ClassList.of(["bright", "dark"])
ATTENDING = replace(SMALL, attention=CBAM())
WIDER = replace(SMALL, stages=(TwoWayDense(num_layers=3, growth=8, bottleneck_width=1), *SMALL.stages[1:]))  # fmt: skip


def start(config: DetectorConfig, *, seed: int = 0, like=(SMALL,)) -> dict[str, Tensor]:
    detector = starting_detector(config, CLASSES, seed=seed, like=like)
    return {name: value.clone() for name, value in detector.state_dict().items()}


def differing(first: dict[str, Tensor], second: dict[str, Tensor]) -> set[str]:
    return {
        name
        for name in first.keys() | second.keys()
        if name not in first or name not in second or not torch.equal(first[name], second[name])
    }


def test_two_configs_that_differ_in_one_part_start_bit_equal_elsewhere() -> None:
    assert {name.split(".")[0] for name in differing(start(SMALL), start(ATTENDING))} == {
        "attention"
    }


def test_a_stage_with_one_layer_more_shares_the_layers_before_it() -> None:
    first, second = start(SMALL), start(WIDER)
    shared = {name for name in first if name.startswith("stages.0.dense")}
    assert shared
    assert not shared & differing(first, second)
    assert "stem" not in {name.split(".")[0] for name in differing(first, second)}


def test_one_change_does_not_shift_the_draws_of_another() -> None:
    alone = start(ATTENDING)
    both = start(replace(ATTENDING, head=replace(SMALL.head, channels=24)))
    assert any(name.startswith("attention") for name in alone)
    assert {name.split(".")[0] for name in differing(alone, both)} == {"head"}


def test_another_seed_draws_everything_anew() -> None:
    first, second = start(SMALL), start(SMALL, seed=1)
    drawn = {name for name, value in first.items() if value.dim() == 4}
    assert drawn <= differing(first, second)


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """A learned scale whose start the config names, and a kernel whose spread it names."""

    scale: float = 1.0
    spread: float = 0.1

    def build(self, channels: int) -> nn.Module:
        return _Scaled(channels, self)


class _Scaled(nn.Module):
    def __init__(self, channels: int, part: Scaled) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1, 1), part.scale))
        self.kernel = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.normal_(self.kernel.weight, std=part.spread)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.scale * self.kernel(features)


def test_what_a_config_says_about_the_start_is_not_overwritten_by_the_other_configs() -> None:
    base = replace(SMALL, attention=Scaled())
    larger = start(replace(SMALL, attention=Scaled(scale=3.0)), like=(base,))
    wider = start(replace(SMALL, attention=Scaled(spread=0.3)), like=(base,))
    scales = [value for name, value in larger.items() if name.endswith(".scale")]
    kernels = [value for name, value in wider.items() if name.endswith("attention.stage1.kernel.weight")]  # fmt: skip
    assert scales
    assert all(bool((scale == 3.0).all()) for scale in scales)
    assert all(float(kernel.std()) > 0.25 for kernel in kernels)
    same = start(base, like=())
    kernel = "attention.stage1.kernel.weight"
    assert torch.equal(larger[kernel], same[kernel])


def test_the_generator_is_left_as_it_was() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    starting_detector(ATTENDING, CLASSES, seed=0, like=(SMALL,))
    assert torch.equal(torch.rand(3), expected)


def test_without_a_seed_a_detector_is_drawn_as_before() -> None:
    torch.manual_seed(3)
    first = build(SMALL, classes=CLASSES).state_dict()
    torch.manual_seed(3)
    second = build(SMALL, classes=CLASSES).state_dict()
    assert not differing(dict(first), dict(second))


def seen_by(config: DetectorConfig, source, data, folder) -> list[Tensor]:
    pictures: list[Tensor] = []

    def watch(event) -> None:
        if isinstance(event, BatchSeen):
            pictures.append(event.images.clone())
            pictures.append(event.batch.packed_boxes_xyxy.clone())

    trial = small_trial(source, config, steps=Steps(total=10, warmup=2), like=(SMALL,))
    run_trial(trial, folder=folder, data=data, device="cpu", watch=watch)
    return pictures


def test_two_configs_see_bit_equal_batches(source, data, tmp_path) -> None:
    first = seen_by(SMALL, source, data, tmp_path)
    second = seen_by(replace(ATTENDING, neck=SMALL.neck), source, data, tmp_path)
    assert len(first) == 20
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[2])


def test_settings_share_a_seed_with_the_start(source) -> None:
    assert small_trial(source).settings == small_settings()
    assert isinstance(starting_detector(SMALL, CLASSES, seed=0), Detector)
