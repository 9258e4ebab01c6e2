from collections.abc import Callable
import copy

from inline_snapshot import snapshot
import pytest
from small_pipeline import Example, altered
import torch
from torch import Tensor, nn

from pocketdet.doctor import Finding, examine
from pocketdet.doctor.report import Result

CHECK = "foreign-input"
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
COLOURS = torch.tensor([170.0, 90.0, 40.0])[:, None, None]  # reddish, so that channels differ


def pictures() -> list[Example]:
    found: list[Example] = []
    for _ in range(8):
        smooth = nn.functional.interpolate(torch.randn(1, 3, 6, 6), size=64, mode="bilinear")[0]
        image = (COLOURS + 30 * smooth).clamp(0, 255).to(torch.uint8)
        found.append(Example(image, torch.tensor([[8.0, 8, 40, 40]]), torch.tensor([0])))
    return found


def normalised(image: Tensor) -> Tensor:
    return (image.float() / 255 - MEAN) / STD


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """A network whose statistics are those of normalised pictures, and whose filters are edges."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, stride=2, bias=False),
        nn.BatchNorm2d(12, momentum=None),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, stride=2, bias=False),
        nn.BatchNorm2d(12, momentum=None),
        nn.ReLU(),
    )
    for _ in range(4):
        model(torch.stack([normalised(p.image) for p in pictures()]))
    return model


def examined(model: nn.Module, preprocess: Callable[[Tensor], Tensor]) -> Result:
    pipeline = altered(samples=pictures(), preprocess=preprocess)
    inputs = torch.rand(2, 3, 64, 64)
    return examine(copy.deepcopy(model), inputs, pipeline=pipeline, only=[CHECK]).results[0]


def findings_of(model: nn.Module, preprocess: Callable[[Tensor], Tensor]) -> list[Finding]:
    result = examined(model, preprocess)
    assert result.outcome in ("clear", "found"), result.reason
    return list(result.findings)


def test_images_as_in_training_are_clear(trained: nn.Module) -> None:
    assert findings_of(trained, normalised) == []


@pytest.mark.parametrize(
    ("preprocess", "words"),
    [
        (lambda image: normalised(image).flip(0), "with red and blue exchanged"),
        (lambda image: image.float() / 255, "normalised by ImageNet's mean and spread"),
        (lambda image: image.float(), "divided by 255 and normalised"),
        (lambda image: normalised(image) / 255, "times 255"),
    ],
)
def test_images_in_another_form_are_told_with_it(trained: nn.Module, preprocess, words) -> None:
    (finding,) = findings_of(trained, preprocess)
    assert finding.severity in ("warning", "error")
    assert words in finding.evidence
    assert finding.where == "1"


def test_images_of_another_kind_fit_no_reading(trained: nn.Module) -> None:
    assert findings_of(trained, lambda image: torch.randn_like(image.float()) * 3) == []


def test_a_network_without_statistics_is_not_judged() -> None:
    fresh = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert examined(fresh, normalised).reason == "no BatchNorm layer has trained statistics"


def test_reads_well(trained: nn.Module) -> None:
    (finding,) = findings_of(trained, lambda image: image.float())
    assert finding.evidence == snapshot(
        "The first BatchNorm layers see the images 2.1e+02 squared spreads from what they have stored, and 0.0024 divided by 255 and normalised by ImageNet's mean and spread."
    )


def test_images_that_no_reading_brings_near_are_a_warning_where_the_inputs_are_such(
    trained: nn.Module,
) -> None:
    """The mean of another colour is taken off, and colours are exchanged as well."""

    def tinted(image: Tensor) -> Tensor:
        odd = torch.tensor([4.0, 0.0, -6.0])[:, None, None]
        return normalised(image).flip(0) * 2 + odd

    pipeline = altered(samples=pictures(), preprocess=tinted)
    images = torch.stack([tinted(p.image) for p in pictures()[:2]])
    report = examine(copy.deepcopy(trained), images, pipeline=pipeline, only=[CHECK])
    assert [f.severity for f in report.findings] == ["warning"]
    assert examined(trained, tinted).outcome == "clear"
