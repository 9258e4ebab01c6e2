"""`pocketdet diff`: what an edit changes, costs, and keeps of trained weights."""

from pathlib import Path
from typing import Annotated

import typer


def diff(
    base: Annotated[str, typer.Argument(help="A recipe's name or a config file.")],
    altered: Annotated[str, typer.Argument(help="The same, after the edit.")],
    *,
    weights: Annotated[
        Path | None, typer.Option(help="The base's checkpoint or run: carry its weights over.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the altered detector with these weights.")
    ] = None,
    picture: Annotated[
        list[Path] | None, typer.Option(help="Draw the blocks: .svg or .png; can be repeated.")
    ] = None,
    classes: Annotated[int, typer.Option(help="Number of classes, without weights.")] = 20,
    rounds: Annotated[int, typer.Option(help="Timed calls of each block; 0 for none.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List what differs, what each block costs before and after, and which weights carry over."""
    from pocketdet.cli.diff_text import show_diff
    from pocketdet.requests.edit import DiffRequest, run_diff

    request = DiffRequest(
        base=base,
        altered=altered,
        num_classes=classes,
        weights=weights,
        out=out,
        pictures=tuple(picture or ()),
        rounds=rounds,
    )
    report, plan = run_diff(request)
    show_diff(request, report, plan, as_json=as_json)
