"""`pocketdet demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data; fewer for a quick look.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Draw a data set, train a small detector on it, evaluate it, and draw what it finds.

    Nothing is downloaded. About twelve minutes on two cores.
    """
    from dataclasses import replace
    import json

    from pocketdet.cli.demo_text import show_demo
    from pocketdet.cli.training_display import training_display
    from pocketdet.demo import DEMO_SETTINGS, run_demo

    settings = replace(DEMO_SETTINGS, epochs=epochs) if epochs else DEMO_SETTINGS
    with training_display() as (progress, watch):
        result = run_demo(out, settings=settings, progress=progress, watch=watch)
    if as_json:
        typer.echo(json.dumps(result.to_data(), indent=2))
    else:
        show_demo(result)
