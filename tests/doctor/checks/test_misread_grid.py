from host import Alter, Host, examined, found
from inline_snapshot import snapshot
import pytest
import torch
from torch import Tensor
import torch.nn.functional as F


def lattice(x: Tensor, *, low: float = -1.0) -> tuple[Tensor, Tensor]:
    sides = [low + (torch.arange(n) + 0.5) / n * (1 - low) for n in x.shape[-2:]]
    rows, columns = torch.meshgrid(*sides, indexing="ij")
    return columns, rows


def sampled(net: Host, x: Tensor, grid: Tensor) -> Tensor:
    offset = 0.02 * net.to_one(x).tanh().permute(0, 2, 3, 1)
    return F.grid_sample(x, grid[None] + offset, align_corners=False)


def swapped(net: Host, x: Tensor) -> Tensor:
    columns, rows = lattice(x)
    return sampled(net, x, torch.stack([rows, columns], -1))


def straight(net: Host, x: Tensor) -> Tensor:
    return sampled(net, x, torch.stack(lattice(x), -1))


def from_zero(net: Host, x: Tensor) -> Tensor:
    return sampled(net, x, torch.stack(lattice(x, low=0.0), -1))


def in_pixels(net: Host, x: Tensor) -> Tensor:
    return sampled(net, x, torch.stack(lattice(x), -1) * 8 + 8)


def a_crop(net: Host, x: Tensor) -> Tensor:
    grid = torch.stack(lattice(x[..., ::2, ::2], low=0.0), -1)
    crop = F.grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=False)
    return x + F.interpolate(crop, size=x.shape[-2:])


WRONG: dict[str, Alter] = {"swapped": swapped, "from 0": from_zero, "in pixels": in_pixels}
RIGHT: dict[str, Alter] = {"straight": straight, "a crop": a_crop}


@pytest.mark.parametrize("name", WRONG)
def test_a_grid_in_another_order_or_range_is_a_warning(name: str) -> None:
    assert found(WRONG[name], "misread-grid") == ["warning"]


@pytest.mark.parametrize("name", RIGHT)
def test_is_clear_for_lattices_with_offsets_and_crops(name: str) -> None:
    assert found(RIGHT[name], "misread-grid") == []


def test_reads_well() -> None:
    (finding,) = examined(swapped, "misread-grid").findings
    assert finding.evidence == snapshot(
        "`grid_sampler_2d` samples a 2×16×16×16 map by a 2×16×16×2 grid of (x, y) between -1 and 1, but its first number, which is x, runs from row to row, and its second along columns."
    )
