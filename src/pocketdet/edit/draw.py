"""Draw a laid out picture: SVG by hand, PNG by matplotlib."""

from html import escape
from pathlib import Path

from pocketdet.edit.comparison import EditReport
from pocketdet.edit.layout import LINE_HEIGHT, PADDING, Box, Picture, lay_out

FONT = "font-family='DejaVu Sans, Helvetica, sans-serif' font-size='12'"
INK, LINE = "#1f2933", "#7b8794"


def save_picture(report: EditReport, path: Path, *, names: tuple[str, str]) -> None:
    """Write the picture of an edit; raises `ValueError` unless `path` ends in .svg or .png."""
    picture = lay_out(report, names=names)
    if path.suffix == ".svg":
        path.write_text(svg(picture), encoding="utf-8")
    elif path.suffix == ".png":
        _save_png(picture, path)
    else:
        raise ValueError(f"`picture` must end in .svg or .png; got {path.name}.")


def svg(picture: Picture) -> str:
    """Give the picture as a document of its own, which needs nothing else."""
    size = f"width='{picture.width:g}' height='{picture.height:g}'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} {FONT} fill='{INK}'>",
        "<rect width='100%' height='100%' fill='white'/>",
    ]
    for x, top, bottom in picture.arrows:
        parts.append(
            f"<path d='M{x:g} {top:g} V{bottom:g} m-4 -6 l4 6 l4 -6' fill='none' stroke='{LINE}'/>"
        )
    parts += [_svg_box(box) for box in picture.boxes]
    parts += [
        f"<text x='{x:g}' y='{y:g}' font-weight='bold'>{escape(title)}</text>"
        for x, y, title in picture.titles
    ]
    return "\n".join([*parts, "</svg>\n"])


def _svg_box(box: Box) -> str:
    rect = (
        f"<rect x='{box.left:g}' y='{box.top:g}' width='{box.width:g}' height='{box.height:g}' "
        f"rx='4' fill='{box.colour}' stroke='{LINE}'/>"
    )
    texts = [
        f"<text x='{box.left + PADDING:g}' y='{_baseline(box, number):g}'"
        + (" font-weight='bold'>" if number == 0 and len(box.lines) > 1 else ">")
        + f"{escape(line)}</text>"
        for number, line in enumerate(box.lines)
    ]
    return "\n".join([rect, *texts])


def _baseline(box: Box, number: int) -> float:
    """Give the y of a line's baseline; the only line of a small box stands in its middle."""
    if len(box.lines) == 1:
        return box.top + box.height / 2 + 4
    return box.top + PADDING + 12 + LINE_HEIGHT * number


def _save_png(picture: Picture, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(picture.width / 100, picture.height / 100), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, picture.width), ylim=(picture.height, 0))
    axes.axis("off")
    for x, top, bottom in picture.arrows:
        axes.annotate(
            "", xy=(x, bottom), xytext=(x, top), arrowprops={"arrowstyle": "->", "color": LINE}
        )
    for box in picture.boxes:
        axes.add_patch(
            Rectangle(
                (box.left, box.top), box.width, box.height, facecolor=box.colour, edgecolor=LINE
            )
        )
        for number, line in enumerate(box.lines):
            weight = "bold" if number == 0 and len(box.lines) > 1 else "normal"
            axes.text(
                box.left + PADDING,
                _baseline(box, number),
                line,
                size=8.4,
                weight=weight,
                color=INK,
            )
    for x, y, title in picture.titles:
        axes.text(x, y, title, size=8.4, weight="bold", color=INK)
    figure.savefig(path)
