"""Lay the blocks of an edit report out as a picture, for whatever draws it."""

from dataclasses import dataclass

from pocketdet.edit.comparison import BlockFate, BlockRow, BlockSide, EditReport

COLOURS: dict[BlockFate, str] = {
    "same": "#e6e9ed",
    "changed": "#ffd480",
    "added": "#9fdfa8",
    "removed": "#f5a9a1",
}
BOX_WIDTH, LINE_HEIGHT, PADDING, GAP, MARGIN = 400.0, 17.0, 8.0, 16.0, 20.0
COLUMNS = (MARGIN, MARGIN + BOX_WIDTH + 60)
MOST_CHARACTERS = 52


@dataclass(frozen=True, kw_only=True)
class Box:
    """A block: pixels from the top left, a colour, and lines of text, the first one bold."""

    left: float
    top: float
    height: float
    colour: str
    lines: tuple[str, ...]
    width: float = BOX_WIDTH


@dataclass(frozen=True, kw_only=True)
class Picture:
    """All boxes, the arrows between them as (x, top, bottom), the legend and the size in pixels."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[float, float, float], ...]
    titles: tuple[tuple[float, float, str], ...]
    width: float
    height: float


def lay_out(report: EditReport, *, names: tuple[str, str]) -> Picture:
    """Put the base on the left and the altered detector on the right, equal blocks side by side."""
    boxes: list[Box] = []
    arrows: list[tuple[float, float, float]] = []
    top = MARGIN + 3 * LINE_HEIGHT
    last_bottom: list[float | None] = [None, None]
    for row in report.rows:
        height = max(_height(row.before), _height(row.after))
        for column, side in enumerate((row.before, row.after)):
            if side is None:
                continue
            boxes.append(_box(side, row, COLUMNS[column], top, height))
            above = last_bottom[column]
            if above is not None:
                arrows.append((COLUMNS[column] + BOX_WIDTH / 2, above, top))
            last_bottom[column] = top + height
        top += height + GAP
    whole = report.whole
    titles = tuple(
        (COLUMNS[column], MARGIN + LINE_HEIGHT, f"{names[column]}: {_cost_line(side)}")
        for column, side in enumerate((whole.before, whole.after))
        if side is not None
    )
    legend_top = MARGIN + 1.6 * LINE_HEIGHT
    for number, (fate, colour) in enumerate(COLOURS.items()):
        left = COLUMNS[0] + 100 * number
        boxes.append(
            Box(left=left, top=legend_top, height=18, width=90, colour=colour, lines=(fate,))
        )
    return Picture(
        boxes=tuple(boxes),
        arrows=tuple(arrows),
        titles=titles,
        width=COLUMNS[1] + BOX_WIDTH + MARGIN,
        height=top - GAP + MARGIN,
    )


def _lines(side: BlockSide) -> tuple[str, ...]:
    maps = ", ".join(f"{c}×{h}×{w}" for c, h, w in side.maps)
    lines = [f"{side.name}: {side.kind}", _cost_line(side)]
    if maps:
        lines.append(f"→ {maps}")
    return tuple(_cut(line) for line in lines)


def _cut(line: str) -> str:
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


def _cost_line(side: BlockSide) -> str:
    cost = side.cost
    text = f"{cost.parameters / 1e3:,.1f} k parameters, {cost.macs / 1e6:,.1f} M MACs"
    return text if cost.latency is None else f"{text}, {cost.latency.median_ms:.1f} ms"


def _height(side: BlockSide | None) -> float:
    return 0.0 if side is None else 2 * PADDING + LINE_HEIGHT * len(_lines(side))


def _box(side: BlockSide, row: BlockRow, left: float, top: float, height: float) -> Box:
    return Box(left=left, top=top, height=height, colour=COLOURS[row.fate], lines=_lines(side))
