"""`pocketdet compress`."""

from pathlib import Path
from typing import Annotated

import typer


def compress(
    run: Annotated[Path | None, typer.Argument(help="A run's folder or a checkpoint file.")] = None,
    *,
    data: Annotated[str | None, typer.Option(help="A data set's folder, or `digits`.")] = None,
    how: Annotated[
        list[str] | None,
        typer.Option(
            help="A step's name, a YAML file of steps, or `{prune: {macs: 0.5}}`; can be repeated."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help='Let it find the steps: "15ms", or "15ms onnxruntime".')
    ] = None,
    lose: Annotated[
        float | None, typer.Option(help="AP points that may be lost for the target (1).")
    ] = None,
    split_train: Annotated[
        str | None, typer.Option(help="Split to fine-tune on (that of the run).")
    ] = None,
    split_val: Annotated[
        str | None, typer.Option(help="Split to evaluate on (that of the run).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of all results (compressed).")] = None,
    name: Annotated[str | None, typer.Option(help="The result's own folder (numbered).")] = None,
    resume: Annotated[Path | None, typer.Option(help="A result's folder to go on with.")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="To time in: onnxruntime, openvino, eager or auto.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of that runtime (1).")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a trained detector smaller or faster; everything goes to compressed/NAME/."""
    import json

    from pocketdet.cli.compression_text import show_compression
    from pocketdet.compress.command import CompressOptions, start_or_resume
    from pocketdet.data.progress_bar import progress_bar

    options = CompressOptions(
        run=run,
        data=data,
        how=how or (),
        target=target,
        lose=lose,
        split_train=split_train,
        split_val=split_val,
        out=out,
        name=name,
        runtime=runtime,
        threads=threads,
        seed=seed,
    )
    with progress_bar() as progress:
        report = start_or_resume(options, resume=resume, device=device, progress=progress)
    if as_json:
        typer.echo(json.dumps(report.to_data(), indent=2))
    else:
        show_compression(report)
