"""The places in the input that a head's rows are relative to, on the maps as they really are."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

MapSizes = list[tuple[int, int]]
Lay = Callable[[MapSizes, tuple[int, int]], Tensor]


class Places(nn.Module):
    """Lays places over the maps, once for the size that the detector is made for.

    `lay` is called with the (height, width) of each map and of the input, and gives (p, 4) cxcywh
    in input pixels. `cxcywh` is what it gave for the contract's size; it is no part of the weights.
    """

    cxcywh: Tensor

    def __init__(self, lay: Lay, map_sizes: MapSizes, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.lay = lay
        self.made_for = (*map_sizes, input_size)
        self.register_buffer("cxcywh", lay(map_sizes, input_size), persistent=False)

    def forward(self, levels: Sequence[Tensor], input_size: tuple[int, int]) -> Tensor:
        """Give the places for these maps, (b, c, h, w) each, of an input of (height, width)."""
        map_sizes = [(int(level.shape[-2]), int(level.shape[-1])) for level in levels]
        if (*map_sizes, input_size) == self.made_for:
            return self.cxcywh
        return self.lay(map_sizes, input_size).to(self.cxcywh.device)
