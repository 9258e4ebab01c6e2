"""`pocketdet predict`."""

from pathlib import Path
from typing import Annotated

import typer

from pocketdet.cli.exit_code import ExitCode


def predict(
    run: Annotated[Path, typer.Argument(help="A run's folder, a checkpoint, or an exported file.")],
    images: Annotated[
        list[str], typer.Argument(help="Pictures, videos, folders or patterns like 'in/*.jpg'.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("predictions"),
    score: Annotated[float, typer.Option(min=0, max=1, help="Lowest score shown.")] = 0.3,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 8,
    threads: Annotated[int, typer.Option(min=1, help="Of an exported file's runtime.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, …; auto takes a GPU if any.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Detect in pictures and videos; write drawn ones and predictions.json.

    Exit code 1: some files could not be read; they are named, and the rest is done.
    """
    import json

    from pocketdet.cli.prediction_text import show_predictions
    from pocketdet.cli.predictor import predictor_of
    from pocketdet.data.progress_bar import progress_bar
    from pocketdet.predict.files import predict_files
    from pocketdet.predict.inputs import find_inputs
    from pocketdet.predict.prediction import PredictSettings

    inputs = find_inputs(images, leave_out=out)
    settings = PredictSettings(score=score, batch_size=batch_size)
    with progress_bar() as progress:
        report = predict_files(
            predictor_of(run, device, threads=threads), inputs, out, settings, progress=progress
        )
    if as_json:
        typer.echo(json.dumps(report.to_data(), indent=2))
    else:
        show_predictions(report, out)
    if report.damaged:
        raise typer.Exit(ExitCode.FINDINGS)
