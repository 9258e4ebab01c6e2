"""`pocketdet evaluate`."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run's folder, a checkpoint, or an exported file.")],
    *,
    data: Annotated[str, typer.Option(help="A data set's folder, or `digits`.")],
    split: Annotated[str, typer.Option(help="Which part of the data.")] = "val",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; RUN/evaluation-SPLIT if not given.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 16,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, …; auto takes a GPU if any.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Of an exported file's runtime.")] = 1,
    score: Annotated[
        float, typer.Option(min=0, max=1, help="Lowest score in confusion.png, examples.png.")
    ] = 0.25,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score a detector on labelled pictures, and write metrics, curves and examples."""
    import json

    from pocketdet.cli.evaluation_text import show_evaluation
    from pocketdet.data.progress_bar import progress_bar
    from pocketdet.evaluate.job import default_folder, evaluate_run, write_evaluation
    from pocketdet.evaluate.place import open_any
    from pocketdet.evaluate.run import RunSettings

    with progress_bar() as progress:
        evaluated = evaluate_run(
            open_any(run, device, threads=threads),
            data,
            split=split,
            settings=RunSettings(batch_size=batch_size, num_workers=workers),
            progress=progress,
            run=str(run),
        )
    folder = out or default_folder(run, split)
    write_evaluation(folder, evaluated, score=score)
    if as_json:
        typer.echo(json.dumps(evaluated.to_data(), indent=2))
    else:
        show_evaluation(evaluated, folder)
