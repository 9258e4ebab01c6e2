"""`pocketdet describe`: what a detector costs and where it looks."""

import json
from typing import Annotated

import typer


def describe(
    config: Annotated[str, typer.Argument(help="A recipe's name or a config file.")] = "PELEE",
    classes: Annotated[int, typer.Option(help="Number of classes, without background.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print parameters, multiply-accumulates, maps and priors of a recipe or config file."""
    from rich.console import Console
    from rich.table import Table

    from pocketdet.config_file import find_config
    from pocketdet.model.summary import summarize

    summary = summarize(find_config(config), num_classes=classes)
    if as_json:
        typer.echo(json.dumps(summary.to_data(), indent=2))
        return
    table = Table(title=f"{config}, {summary.input_height}×{summary.input_width}", box=None)
    places = f"{summary.kind_of_place}s"
    sizes = "prior sizes, px" if summary.kind_of_place == "prior" else "box sizes, px"
    for column in ("level", "map", "channels", sizes, places):
        table.add_column(column, justify="right")
    for level in summary.levels:
        table.add_row(
            str(level.source),
            f"{level.height}×{level.width}",
            str(level.channels),
            f"{level.smallest:g} to {level.largest:g}",
            f"{level.num_priors:,}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"{summary.num_priors:,} {places}; {summary.parameters:,} parameters "
        f"({summary.parameters_folded:,} with batch norm folded); {summary.macs:,} MACs; "
        f"{summary.num_classes} classes.",
        highlight=False,
    )
