"""Figures and tensors as files that people look at, written whole or not at all."""

from io import BytesIO
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from pocketdet.predict.output_file import write_bytes, write_pixels


def write_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as PNG, without a window system."""
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    write_bytes(path, buffer.getvalue())


def write_picture(path: Path, image: Tensor) -> None:
    """Write a (3, H, W) uint8 RGB picture; the name's end (.jpg, .png) chooses the format."""
    write_pixels(path, image.permute(1, 2, 0).contiguous().numpy())
