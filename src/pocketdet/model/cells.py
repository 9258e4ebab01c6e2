"""The cells of maps, laid over the input: the places of a head without priors."""

import torch
from torch import Tensor


def place_cells(map_sizes: list[tuple[int, int]], input_size: tuple[int, int]) -> Tensor:
    """Divide the input evenly into the cells of each map.

    `map_sizes` holds the real (height, width) of each map, and `input_size` that of the input:
    a cell of n columns is an n-th of the input's width, never a power of two from a table of
    strides. Gives (p, 4) cxcywh in input pixels: map by map, row by row, cell by cell.
    """
    height, width = input_size
    parts: list[Tensor] = []
    for rows, columns in map_sizes:
        size = torch.tensor([width / columns, height / rows])
        y = (torch.arange(rows, dtype=torch.float32) + 0.5) * size[1]
        x = (torch.arange(columns, dtype=torch.float32) + 0.5) * size[0]
        centres = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).reshape(-1, 2)
        parts.append(torch.cat([centres, size.expand(len(centres), -1)], dim=-1))
    return torch.cat(parts)
