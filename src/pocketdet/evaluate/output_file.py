"""Files that people look at, written whole or not at all."""

from io import BytesIO
from pathlib import Path

import cv2
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

JPEG_QUALITY = 92


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside `path` and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a matplotlib figure as PNG, without a window system."""
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    write_bytes(path, buffer.getvalue())


def write_picture(path: Path, image: Tensor) -> None:
    """Write a (3, H, W) uint8 RGB picture; the name's end (.jpg, .png) chooses the format."""
    pixels = cv2.cvtColor(image.permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    _, encoded = cv2.imencode(path.suffix, pixels, options)
    write_bytes(path, encoded.tobytes())
