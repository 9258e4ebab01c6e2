"""An evaluation as tables for people, at most 80 columns wide."""

import math

from rich.markup import escape
from rich.table import Table

from pocketdet.evaluate.evaluation import Evaluation

ROWS = (
    (
        "AP",
        (
            ("all IoU", "ap"),
            ("IoU .50", "ap50"),
            ("IoU .75", "ap75"),
            ("small", "ap_small"),
            ("medium", "ap_medium"),
            ("large", "ap_large"),
        ),
    ),
    (
        "AR",
        (
            ("1 an image", "ar_1"),
            ("10", "ar_10"),
            ("100", "ar_100"),
            ("small", "ar_small"),
            ("medium", "ar_medium"),
            ("large", "ar_large"),
        ),
    ),
)


def numbers_table(evaluation: Evaluation) -> Table:
    """Give COCO's twelve numbers and VOC's two, in percent."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    for _ in range(6):
        table.add_column(justify="right", min_width=8)
    for name, cells in ROWS:
        table.add_row("", *[f"[dim]{heading}[/]" for heading, _ in cells])
        table.add_row(
            f"[bold]{name}[/]", *[percent(getattr(evaluation, field)) for _, field in cells]
        )
    table.add_row("", "[dim]VOC07[/]", "[dim]VOC area[/]")
    table.add_row("[bold]mAP50[/]", percent(evaluation.voc07_map50), percent(evaluation.area_map50))
    return table


def class_table(evaluation: Evaluation) -> Table:
    """Give one row a class, in percent."""
    table = Table(box=None, pad_edge=False)
    table.add_column("class", overflow="ellipsis", no_wrap=True, max_width=28)
    for heading in ("boxes", "AP", "AP50", "AP75", "AR100", "VOC07"):
        table.add_column(heading, justify="right", min_width=6)
    for result in evaluation.classes:
        numbers = (result.ap, result.ap50, result.ap75, result.ar_100, result.voc07_ap50)
        table.add_row(escape(result.name), f"{result.num_boxes:,}", *[percent(n) for n in numbers])
    return table


def percent(value: float) -> str:
    """Write a share as a percentage with one decimal; a dash where nothing was scored."""
    return "–" if math.isnan(value) else f"{100 * value:.1f}"
