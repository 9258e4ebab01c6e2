import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


def examined(model: nn.Module, inputs: Tensor) -> list[Finding]:
    report = examine(model, inputs, only=["softmax-over-one"])
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


class AttentionPooling(nn.Module):
    """Weigh places by a softmax over them, or over the axis of size 1 beside them."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.score = nn.Linear(3, 1)
        self.axis = axis

    def forward(self, images: Tensor) -> Tensor:
        rows = images.flatten(2).transpose(1, 2)
        weights = F.softmax(self.score(rows), dim=self.axis)
        return (weights * rows).sum(dim=1)


def test_a_softmax_over_the_one_score_of_each_place_is_an_error() -> None:
    (finding,) = examined(AttentionPooling(axis=-1), torch.rand(2, 3, 8, 8))
    assert (finding.severity, finding.where) == ("error", "")
    assert finding.measured == {"shape": [2, 64, 1], "axis": 2}


def test_one_over_the_places_is_clear() -> None:
    assert examined(AttentionPooling(axis=1), torch.rand(2, 3, 8, 8)) == []


def test_an_axis_that_is_one_for_this_input_only_is_clear() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 32, stride=32), nn.Flatten(2), nn.Softmax(dim=2))
    assert examined(model, torch.rand(2, 3, 32, 32)) == []


def test_one_output_unit_with_a_softmax_is_an_error() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Softmax(dim=1))
    (finding,) = examined(model, torch.rand(4, 3, 2, 2))
    assert (finding.severity, finding.where) == ("error", "2")


@pytest.mark.parametrize("size", [1, 4])
def test_nothing_learnt_before_it_is_no_error(size: int) -> None:
    findings = examined(nn.Softmax(dim=1), torch.rand(4, size, 3))
    assert [finding.severity for finding in findings] == ["info"] * (size == 1)


def attended(queries: int, keys: int, *, over: int) -> list[str]:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query = nn.Linear(4, 4)

        def forward(self, places: Tensor, others: Tensor) -> Tensor:
            weights = (self.query(places) @ others.mT).softmax(over)
            return weights @ others if over == -1 else weights.mT @ places

    given = (torch.rand(2, queries, 4), torch.rand(2, keys, 4))
    report = examine(Attention(), given, only=["softmax-over-one"])
    return [finding.severity.value for finding in report.findings]


def test_an_attention_to_one_place_is_an_info_and_one_over_the_wrong_axis_an_error() -> None:
    assert attended(5, 1, over=-1) == ["info"]
    assert attended(5, 1, over=2) == ["error"]


def test_an_axis_that_grows_on_another_path_through_torch_is_clear() -> None:
    """Pooling to 1×1 is another operator than pooling to 2×2."""

    class Shares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, images: Tensor) -> Tensor:
            size = (images.shape[2] // 16, images.shape[3] // 16)
            coarse = F.adaptive_avg_pool2d(images, size)
            return self.conv(coarse).flatten(2).softmax(-1).view_as(coarse) * coarse

    assert examined(Shares(), torch.rand(2, 3, 16, 16)) == []
