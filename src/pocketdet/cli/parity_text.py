"""What `pocketdet parity` prints."""

import json
import math

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pocketdet.parity.layers import LayerError
from pocketdet.parity.report import ParityReport


def show_parity(report: ParityReport, *, num_layers: int = 10, as_json: bool = False) -> None:
    """Print the verdict first, then what it stands on; or one JSON document."""
    console = Console(highlight=False)
    if as_json:
        console.print(json.dumps(report.to_data(), indent=2), soft_wrap=True, markup=False)
        return
    colour = "green" if report.same else "red"
    console.print(f"[bold {colour}]{escape(report.verdict)}[/]")
    for cause in report.causes[1:]:
        console.print(f"  also: {escape(cause)}")
    console.print(f"\nA {escape(report.first)}\nB {escape(report.second)} ({report.precision})")
    if not report.has_card:
        console.print(
            "[yellow]B has no card: it was fed and read as A is, which its users must know.[/]"
        )
    _show_boxes(console, report)
    if report.raw:
        console.print(_raw_table(report))
    _show_layers(console, report, num_layers)


def _show_boxes(console: Console, report: ParityReport) -> None:
    boxes = report.boxes
    console.print(
        f"{boxes.matched:,} boxes matched on {report.num_images} pictures, {boxes.missing} "
        f"missing, {boxes.extra} extra; worst: IoU {boxes.lowest_iou:.3f}, "
        f"{boxes.largest_px:.2g} px, score {boxes.largest_score:.2g}"
    )
    if not math.isnan(report.ap_first):
        console.print(
            f"AP {report.ap_first * 100:.2f} (A), {report.ap_second * 100:.2f} (B): "
            f"{report.ap_difference * 100:+.2f}"
        )
    console.print()


def _raw_table(report: ParityReport) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("output")
    for column in ("level", "largest error", "mean error", "SQNR, dB"):
        table.add_column(column, justify="right")
    for entry in report.raw:
        if entry.shapes is not None:
            table.add_row(entry.name, "", f"{entry.shapes[0]} and {entry.shapes[1]}", "", "")
            continue
        level = "all" if entry.level is None else str(entry.level)
        table.add_row(
            entry.name, level, f"{entry.largest:.3g}", f"{entry.mean:.3g}", f"{entry.sqnr_db:.0f}"
        )
    return table


def _show_layers(console: Console, report: ParityReport, count: int) -> None:
    if report.layers is None:
        console.print(f"\nLayers {report.layers_note}.")
        return
    layers = report.layers
    console.print(
        f"\n{len(layers.layers)} of {layers.num_results} results of the file were paired with the "
        "network's. Those that make the most error:"
    )
    table = Table(box=None, pad_edge=False)
    for column in ("module", "does", "line"):
        table.add_column(column)
    for column in ("made, dB", "seen, dB"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in layers.worst(count):
        table.add_row(*_cells(layer))
    console.print(table)


def _cells(layer: LayerError) -> tuple[str, ...]:
    seen = -20 * math.log10(max(layer.seen, 1e-10)) if math.isfinite(layer.seen) else -math.inf
    return (
        escape(layer.where),
        layer.does,
        layer.source,
        f"{layer.sqnr_db:.0f}",
        f"{seen:.0f}",
    )
