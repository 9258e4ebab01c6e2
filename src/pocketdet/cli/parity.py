"""`pocketdet parity`."""

from typing import Annotated

import typer


def parity(
    first: Annotated[str, typer.Argument(help="A: a run, a checkpoint or an exported file.")],
    second: Annotated[str, typer.Argument(help="B: the same; what is asked about.")],
    *,
    data: Annotated[str, typer.Option(help="A data set's folder, or `digits`.")],
    split: Annotated[str, typer.Option(help="Which part of the data.")] = "val",
    images: Annotated[int, typer.Option(help="Pictures, from the first on.")] = 32,
    layers: Annotated[int, typer.Option(help="Rows of the table of layers.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say whether two detectors are the same, and if not, the first node that differs, and why."""
    from pocketdet.cli.exit_code import ExitCode
    from pocketdet.cli.parity_text import show_parity
    from pocketdet.data.progress_bar import progress_bar
    from pocketdet.parity.run import ParityRequest, run_parity

    request = ParityRequest(first=first, second=second, data=data, split=split, images=images)
    with progress_bar() as progress:
        report = run_parity(request, progress=progress)
    show_parity(report, num_layers=layers, as_json=as_json)
    if not report.same:
        raise typer.Exit(ExitCode.FINDINGS)
