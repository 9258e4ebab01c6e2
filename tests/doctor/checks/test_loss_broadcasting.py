from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
import torch.nn.functional as F

from pocketdet.doctor import Finding, examine

Loss = Callable[[nn.Module, Tensor], Tensor]


def examined(model: nn.Module, loss: Loss) -> list[Finding]:
    report = examine(model, torch.rand(4, 3, 8, 8), training_loss=loss, only=["loss-broadcasting"])
    assert report.results[0].outcome in ("found", "clear"), report.results[0].reason
    return list(report.findings)


REGRESSOR = nn.Sequential(nn.Flatten(), nn.Linear(192, 1))
HEAT_MAP = nn.Conv2d(3, 1, 1)


def squared(model: nn.Module, images: Tensor) -> Tensor:
    return F.mse_loss(model(images), images.mean((1, 2, 3)))


def by_hand(model: nn.Module, images: Tensor) -> Tensor:
    return (model(images) - images.mean((1, 2, 3))).abs().mean()


def heat(model: nn.Module, images: Tensor) -> Tensor:
    return F.smooth_l1_loss(model(images), images[:, 0])


@pytest.mark.parametrize(
    ("model", "loss"), [(REGRESSOR, squared), (REGRESSOR, by_hand), (HEAT_MAP, heat)]
)
def test_pairs_that_nobody_meant_are_an_error(model: nn.Module, loss: Loss) -> None:
    (finding,) = examined(model, loss)
    assert finding.severity == "error"
    assert finding.source is not None
    assert finding.source.startswith("test_loss_broadcasting.py:")


def each_with_each_of_one_mask(model: nn.Module, images: Tensor) -> Tensor:
    there = images[:, 0] > 0.5
    here, wanted = model(images)[:, 0][there], images[:, 1][there]
    return (here[:, None] - wanted).abs().mean()


def areas_added_each_to_each(model: nn.Module, images: Tensor) -> Tensor:
    there = (images[:, 0] > 0.5).nonzero(as_tuple=True)
    here, wanted = model(images)[:, 0][there], images[:, 1][there]
    areas = here[:, None].expand(-1, 2).prod(-1, keepdim=True) + wanted
    return areas.mean()


@pytest.mark.parametrize("loss", [each_with_each_of_one_mask, areas_added_each_to_each])
def test_pairs_of_what_one_mask_picked_out_are_an_error(loss: Loss) -> None:
    assert [f.severity for f in examined(HEAT_MAP, loss)] == ["error"]


def squared_distances(model: nn.Module, images: Tensor) -> Tensor:
    here, there = model(images)[:, 0].flatten(1), images[:, 1].flatten(1)
    product = here @ there.T
    return (here.square().sum(1, keepdim=True) + there.square().sum(1) - 2 * product).amin(1).mean()


def test_squared_distances_of_all_pairs_are_clear() -> None:
    assert examined(HEAT_MAP, squared_distances) == []


def squeezed(model: nn.Module, images: Tensor) -> Tensor:
    return F.mse_loss(model(images).squeeze(-1), images.mean((1, 2, 3)))


def weighted(model: nn.Module, images: Tensor) -> Tensor:
    weight = torch.tensor([0.1])
    return (weight * (model(images) - images.mean((1, 2, 3))[:, None]).square()).mean()


def cost_matrix(model: nn.Module, images: Tensor) -> Tensor:
    boxes = images.mean((2, 3))
    return (model(images)[:, None] - boxes[None, :, :1]).abs().min(dim=1).values.mean()


def boxes_against_cells(model: nn.Module, images: Tensor) -> Tensor:
    cells = (model(images).view(4, 1) * torch.arange(7)).sum(0)  # 7 places
    distances = torch.rand(3, 1) - cells
    return distances.abs().min(dim=0).values.mean()


@pytest.mark.parametrize("loss", [squeezed, weighted, cost_matrix, boxes_against_cells])
def test_shapes_that_fit_and_pairs_on_purpose_are_clear(loss: Loss) -> None:
    assert examined(REGRESSOR, loss) == []
