import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine


class Change(nn.Module):
    """A convolution, something done to its result, and a head."""

    def __init__(self, change: nn.Module) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.change = change
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"scores": self.head(self.change(self.body(images)))}


class Wrapped(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, features: Tensor) -> Tensor:
        return self.function(features)


class Hidden(nn.Module):
    """A BatchNorm in a plain list, which `.eval()` does not reach."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = [nn.BatchNorm2d(4)]

    def forward(self, features: Tensor) -> Tensor:
        return self.norms[0](features)


def folded(features: Tensor) -> Tensor:
    """Take the batch for a part of the channels, and back in another order."""
    batch, channels, height, width = features.shape
    mixed = features.reshape(channels, batch, height, width).transpose(0, 1)
    return mixed.contiguous()


MIXING = {
    "a norm over the batch": Wrapped(lambda x: F.normalize(x, dim=0)),
    "a norm over everything": Wrapped(lambda x: x / x.norm()),
    "a softmax over the batch": Wrapped(lambda x: x.softmax(0)),
    "a mean over the batch": Wrapped(lambda x: x - x.mean(0, keepdim=True)),
    "standardised by hand": Wrapped(lambda x: (x - x.mean()) / (x.std() + 1e-5)),
    "batch norm that is always training": Wrapped(
        lambda x: F.batch_norm(x, None, None, training=True)
    ),
    "a hidden batch norm": Hidden(),
}

KEEPING = {
    "group norm": nn.GroupNorm(2, 4),
    "instance norm": nn.InstanceNorm2d(4),
    "layer norm over everything but the batch": Wrapped(lambda x: F.layer_norm(x, x.shape[1:])),
    "batch norm": nn.BatchNorm2d(4),
    "a norm over channels": Wrapped(lambda x: F.normalize(x, dim=1)),
    "a softmax over places": Wrapped(lambda x: x.flatten(2).softmax(-1).view_as(x)),
    "batch folded away and back": Wrapped(lambda x: F.relu(x.flatten(0, 1)).view_as(x)),
    "dropout": nn.Dropout(0.5),
}


def examined(model: nn.Module, batch: int = 2) -> list[Finding]:
    report = examine(model, torch.rand(batch, 3, 8, 8), only=["batch-mixing"])
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


@pytest.mark.parametrize("change", MIXING.values(), ids=MIXING.keys())
def test_mixing_is_an_error_in_the_module_where_it_begins(change: nn.Module) -> None:
    (finding,) = examined(Change(change))
    assert finding.severity == "error"
    assert finding.where.startswith("change")


@pytest.mark.parametrize("change", KEEPING.values(), ids=KEEPING.keys())
def test_what_stays_within_a_sample_is_clear(change: nn.Module) -> None:
    assert examined(Change(change)) == []


def test_a_batch_taken_for_channels_is_found() -> None:
    assert [f.severity for f in examined(Change(Wrapped(folded)))] == ["error"]


def test_a_single_sample_is_joined_by_another() -> None:
    assert len(examined(Change(MIXING["a norm over the batch"]), batch=1)) == 1


def test_an_allowed_check_says_why() -> None:
    report = examine(
        Change(MIXING["a mean over the batch"]),
        torch.rand(2, 3, 8, 8),
        allow={"batch-mixing": "minibatch statistics, on purpose"},
        only=["batch-mixing"],
    )
    assert report.ok
    assert report.findings == ()
    assert "allowed[batch-mixing] minibatch statistics, on purpose" in str(report)


class OneByOne(nn.Module):
    """Takes images in a list, as torchvision's detectors do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)

    def forward(self, images: list[Tensor]) -> list[Tensor]:
        return [self.body(image[None])[0] for image in images]


def test_images_in_a_list_have_no_axis_of_samples() -> None:
    images = [torch.rand(3, 16, 16), torch.rand(3, 16, 16)]
    (result,) = examine(OneByOne(), (images,), only=["batch-mixing"]).results
    assert (result.outcome, result.reason) == ("not run", "the inputs are a list of single images")


def test_a_table_of_all_pairs_of_samples_is_clear() -> None:
    class Similarity(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(192, 8)

        def forward(self, images: Tensor) -> dict[str, Tensor]:
            rows = F.normalize(self.body(images.flatten(1)), dim=1)
            return {"rows": rows, "table": rows @ rows.t()}

    assert examined(Similarity(), batch=3) == []


class InOneRange(nn.Module):
    """Divides by a step that the largest value of the batch decides, and may round."""

    def __init__(self, *, rounds: bool) -> None:
        super().__init__()
        self.rounds = rounds

    def forward(self, x: Tensor) -> Tensor:
        step = x.abs().max() / 127
        return (x / step).round() * step if self.rounds else x / step


@pytest.mark.parametrize("rounds", [True, False])
def test_one_range_for_the_rounding_of_all_samples_is_an_info(rounds: bool) -> None:  # noqa: FBT001
    report = examine(
        Change(InOneRange(rounds=rounds)), torch.rand(3, 3, 8, 8), only=["batch-mixing"]
    )
    assert [str(f.severity) for f in report.findings] == ["info" if rounds else "error"]
