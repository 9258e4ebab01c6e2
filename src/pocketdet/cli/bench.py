"""`pocketdet bench`."""

from pathlib import Path
from typing import Annotated

import typer


def bench(
    models: Annotated[
        list[str], typer.Argument(help="Runs, checkpoints, recipes, config or exported files.")
    ],
    *,
    runtimes: Annotated[
        str,
        typer.Option(
            help="all, or some of eager,folded,onnxruntime,openvino,ncnn,litert,torch,executorch."
        ),
    ] = "all",
    threads: Annotated[str, typer.Option(help="Numbers of threads, such as 1 or 1,2.")] = "1",
    sizes: Annotated[
        str, typer.Option(help="Input sizes, such as 224 or 224,304x400 (height×width).")
    ] = "",
    rounds: Annotated[int, typer.Option(help="Turns that every candidate gets.")] = 15,
    calls: Annotated[int, typer.Option(help="Timed calls in each turn.")] = 3,
    layers: Annotated[bool, typer.Option("--layers", help="Also the cost of each layer.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the picture: .png or .svg; a folder gets both files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Time detectors on runtimes in turns, beside what this CPU could do (its roofline)."""
    from pocketdet.bench.models import WAYS, BenchRequest
    from pocketdet.bench.run import run_bench
    from pocketdet.bench.workers import Rounds
    from pocketdet.cli.bench_text import numbers, show_bench, sizes_of, write_bench
    from pocketdet.cli.exit_code import ExitCode
    from pocketdet.data.progress_bar import progress_bar

    request = BenchRequest(
        models=tuple(models),
        ways=WAYS if runtimes == "all" else tuple(runtimes.split(",")),
        sizes=sizes_of(sizes),
        threads=numbers(threads),
    )
    with progress_bar() as progress:
        report = run_bench(request, Rounds(rounds=rounds, calls=calls), progress=progress)
    written = write_bench(report, out) if out is not None else ()
    show_bench(report, layers=layers, as_json=as_json, written=written)
    if report.failed or report.disturbance.reasons:
        raise typer.Exit(ExitCode.FINDINGS)
