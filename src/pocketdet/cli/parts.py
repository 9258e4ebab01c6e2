"""`pocketdet parts`: what can be chosen for each part of a detector."""

from dataclasses import asdict
import json
from typing import Annotated

import typer


def parts(
    name: Annotated[
        str, typer.Argument(help="A part (stem, stage, conv, norm …) or a choice (CBAM).")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List every choice for every part, or explain one: its formula, source and fields."""
    from rich.console import Console

    from pocketdet.cli.parts_text import explanation, overview
    from pocketdet.model.catalog import catalog, entries_named

    if name:
        entries = entries_named(name)
    else:
        entries = [entry for choices in catalog().values() for entry in choices]
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
    elif len(entries) == 1:
        typer.echo(explanation(entries[0]))
    else:
        Console().print(overview(entries))
