"""`pocketdet data check`."""

from typing import Annotated

import typer

from pocketdet.cli.exit_code import ExitCode


def check(
    data: Annotated[str, typer.Argument(help="A data set's folder, or `digits`.")],
    *,
    source_format: Annotated[
        str | None, typer.Option("--from", help="voc, coco or yolo; detected when not given.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many to show of each kind.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print every fault as JSON.")] = False,
) -> None:
    """List what is wrong with a data set, and what training will do about it.

    Every image is decoded. Exit code 0: nothing is wrong; 1: something is; 2: it cannot be read.
    """
    import json

    from pocketdet.cli.check_table import show_check
    from pocketdet.data.checking.check import check_dataset
    from pocketdet.data.checking.check_report import check_as_json, is_healthy
    from pocketdet.data.open import open_dataset
    from pocketdet.data.progress_bar import progress_bar

    with progress_bar() as progress:
        dataset = open_dataset(data, format=source_format, progress=progress)
        problems = check_dataset(dataset, progress=progress)
    if as_json:
        typer.echo(json.dumps(check_as_json(dataset, problems), indent=2))
    else:
        show_check(dataset, problems, num_examples=examples)
    if not is_healthy(problems):
        raise typer.Exit(ExitCode.FINDINGS)
