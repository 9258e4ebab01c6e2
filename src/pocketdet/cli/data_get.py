"""`pocketdet data get`."""

from pathlib import Path
from typing import Annotated

import typer


def get(
    name: Annotated[str, typer.Argument(help="bccd, voc2007, voc2012 or coco2017.")],
    path: Annotated[Path, typer.Argument(help="New folder for the data set.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Download a public data set, check it, and unpack it.

    Interrupt it at any time: the same command goes on where it stopped.
    """
    from pocketdet.cli.byte_bar import byte_bar
    from pocketdet.cli.fetched_text import fetched_as_json, fetched_as_text
    from pocketdet.data.downloads.get import get_dataset
    from pocketdet.data.downloads.sources import find_source

    source = find_source(name)
    with byte_bar() as progress:
        fetched = get_dataset(source, path, progress=progress)
    typer.echo(fetched_as_json(fetched) if as_json else fetched_as_text(fetched))
