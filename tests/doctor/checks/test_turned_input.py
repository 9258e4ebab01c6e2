from data_report import findings_of, result_of
from inline_snapshot import snapshot
import pytest
from small_pipeline import SOUND, altered
import torch
from torch import Tensor

CHECK = "turned-input"


def unit(image: Tensor) -> Tensor:
    return image.float() / 255


def letterboxed(image: Tensor) -> Tensor:
    small = torch.nn.functional.interpolate(image[None].float(), size=(48, 64), mode="bilinear")
    return torch.nn.functional.pad(small, (0, 0, 8, 8), value=114.0)[0].flip(0) / 128 - 1


def normalised(image: Tensor) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((unit(image) - mean[:, None, None]) / std[:, None, None])[None]


@pytest.mark.parametrize(
    ("preprocess", "words"),
    [
        (lambda image: unit(image).flip(-1), "left and right are exchanged"),
        (lambda image: letterboxed(image).flip(1), "above and below are exchanged"),
        (lambda image: normalised(image).transpose(2, 3), "x and y are exchanged"),
        (lambda image: unit(image).rot90(2, (1, 2)), "left and right and above and below"),
    ],
)
def test_a_picture_that_is_turned_over_is_an_error(preprocess, words: str) -> None:
    findings = findings_of(CHECK, altered(preprocess=preprocess))
    assert [f.severity for f in findings] == ["error"]
    assert words in findings[0].evidence


def test_another_input_each_time_is_a_warning() -> None:
    def jittered(image: Tensor) -> Tensor:
        return unit(image) * (0.5 + torch.rand(()))

    findings = findings_of(CHECK, altered(preprocess=jittered))
    assert [f.severity for f in findings] == ["warning"]


@pytest.mark.parametrize("preprocess", [unit, letterboxed, normalised])
def test_resizing_and_padding_are_clear(preprocess) -> None:
    assert findings_of(CHECK, altered(preprocess=preprocess)) == []


def test_what_is_no_picture_is_not_judged() -> None:
    assert result_of(CHECK, altered(preprocess=lambda i: i.float().flatten())).outcome == "not run"


def test_reads_well() -> None:
    assert SOUND.preprocess is not None
    findings = findings_of(CHECK, altered(preprocess=lambda image: unit(image).flip(-1)))
    assert findings[0].evidence == snapshot(
        "`preprocess` turns pictures: left and right are exchanged. A marker at (30%, 30%) of the picture comes out at (70%, 30%)."
    )
