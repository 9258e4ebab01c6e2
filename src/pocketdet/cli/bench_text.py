"""What `pocketdet bench` reads from its options, prints and writes."""

from collections.abc import Sequence
import json
from pathlib import Path
import re

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pocketdet.bench.draw import draw_bench
from pocketdet.bench.rates import Rates
from pocketdet.bench.report import BenchReport, Row

MEBI = 2**20


def numbers(text: str) -> tuple[int, ...]:
    """Read `1,2`; raises `ValueError` for anything else."""
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise ValueError(f"`threads` must be numbers such as 1 or 1,2; got {text!r}.")
    return tuple(int(part) for part in text.split(","))


def sizes_of(text: str) -> tuple[tuple[int, int], ...]:
    """Read `224,304x400` as (height, width) pairs; raises `ValueError` for anything else."""
    parts = [part.split("x") for part in text.split(",") if part]
    if not all(len(part) <= 2 and all(side.isdigit() for side in part) for part in parts):
        raise ValueError(f"`sizes` must be such as 224 or 224,304x400; got {text!r}.")
    return tuple((int(part[0]), int(part[-1])) for part in parts)


def write_bench(report: BenchReport, out: Path) -> tuple[Path, ...]:
    """Write the picture; into a folder, bench.png and bench.json."""
    if out.suffix in (".png", ".svg"):
        out.parent.mkdir(parents=True, exist_ok=True)
        draw_bench(report, out)
        return (out,)
    if out.suffix:
        raise ValueError(f"`out` must end in .png or .svg, or be a folder; got {out.name}.")
    out.mkdir(parents=True, exist_ok=True)
    draw_bench(report, out / "bench.png")
    document = json.dumps(report.to_data(layers=True), indent=2) + "\n"
    (out / "bench.json").write_text(document, encoding="utf-8")
    return (out / "bench.png", out / "bench.json")


def show_bench(
    report: BenchReport,
    *,
    layers: bool = False,
    as_json: bool = False,
    written: Sequence[Path] = (),
) -> None:
    """Print the report, as text or as one JSON document."""
    console = Console(highlight=False)
    if as_json:
        document = json.dumps(report.to_data(layers=layers), indent=2)
        console.print(document, soft_wrap=True, markup=False)
        return
    _show_machine(console, report)
    for group in _groups(report.rows):
        console.print()
        console.print(_table(group))
    _show_notes(console, report)
    if layers:
        _show_layers(console, report)
    for path in written:
        console.print(f"Written: {path}", soft_wrap=True, markup=False)


def _show_machine(console: Console, report: BenchReport) -> None:
    if report.disturbance.reasons:
        reasons = "; ".join(report.disturbance.reasons)
        console.print(f"[bold red]Not to be trusted:[/] {escape(reasons)}.")
    console.print(escape(str(report.machine)))
    for rates in report.rates.values():
        console.print(escape(_rates(rates)))


def _show_notes(console: Console, report: BenchReport) -> None:
    noted = [row.candidate for row in report.rows if row.candidate.note]
    for note in dict.fromkeys(f"{candidate.model}: {candidate.note}." for candidate in noted):
        console.print(escape(note))
    for row in report.failed:
        name = f"{row.candidate.model} on {row.candidate.way}"
        console.print(f"[red]{escape(name)} did not run: {escape(row.measured.error)}[/]")


def _rates(rates: Rates) -> str:
    int8 = f", int8 {rates.int8_macs / 1e9:.0f}" if rates.int8_macs else ""
    best = max(rate for _, rate in rates.memory)
    return (
        f"Measured on {rates.num_threads} thread{'s' if rates.num_threads > 1 else ''}: fp32 "
        f"{rates.fp32_macs / 1e9:.0f}{int8} GMAC/s; memory {rates.memory_rate / 1e9:.0f} GB/s, "
        f"{best / 1e9:.0f} in caches"
    )


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Put what has one model's size and threads together, so that it is compared."""
    groups: dict[tuple[int, int, int], list[Row]] = {}
    for row in rows:
        candidate = row.candidate
        key = (candidate.height, candidate.width, candidate.threads)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _table(rows: Sequence[Row]) -> Table:
    first = rows[0].candidate
    threads = f"{first.threads} thread{'s' if first.threads > 1 else ''}"
    title = f"{first.height}×{first.width}, batch 1, {threads}; held and file in MB"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("model", min_width=11, overflow="fold")
    table.add_column("runtime", no_wrap=True)
    for column in ("ms", "p10-p90", "×", "least", "share", "held", "file"):
        table.add_column(column, justify="right", no_wrap=True)
    slowest = next((r.measured.timing for r in rows if r.measured.timing), None)
    for row in rows:
        timing, measured = row.measured.timing, row.measured
        if timing is None:
            continue
        assert slowest is not None
        held = (measured.bytes_peak - measured.bytes_before) / MEBI
        table.add_row(
            escape(Path(row.candidate.model).name),
            f"{row.candidate.way} {row.candidate.precision}",
            _short(timing.median_ms),
            f"{_short(timing.p10_ms)}-{_short(timing.p90_ms)}",
            f"{slowest.median_ms / timing.median_ms:.1f}",
            "" if row.least_ms is None else _short(row.least_ms),
            "" if row.share is None else f"{row.share:.0%}",
            f"{held:.0f}",
            f"{row.candidate.file_bytes / MEBI:.1f}",
        )
    return table


def _short(milliseconds: float) -> str:
    """Write a time with three digits, and none behind the point from 100 on."""
    return f"{milliseconds:.{max(0, 2 - len(str(int(milliseconds))) + 1)}f}"


def _show_layers(console: Console, report: BenchReport) -> None:
    """Print each model's layers once for every way of counting them."""
    seen: set[tuple[object, ...]] = set()
    for row in report.rows:
        candidate = row.candidate
        key = (candidate.model, candidate.height, candidate.width, candidate.precision)
        if key in seen or not candidate.layers:
            continue
        seen.add(key)
        rates, int8 = report.rates[candidate.threads], candidate.computes_int8
        table = Table(box=None, pad_edge=False, title_justify="left")
        table.title = f"{candidate.model}, {candidate.precision}: least time of each layer"
        for column in ("layer", "does", "gives"):
            table.add_column(column)
        for column in ("M MACs", "MB moved", "least µs", "bound by"):
            table.add_column(column, justify="right", no_wrap=True)
        for layer in candidate.layers:
            table.add_row(
                escape(layer.name),
                layer.kind,
                "×".join(map(str, layer.shape[1:])),
                f"{layer.macs / 1e6:.2f}",
                f"{layer.num_bytes(bytes_a_value=1 if int8 else 4) / 1e6:.2f}",
                f"{layer.least_seconds(rates, int8=int8) * 1e6:.0f}",
                "memory" if layer.is_bound_by_memory(rates, int8=int8) else "multiplying",
            )
        console.print()
        console.print(table)
