"""`pocketdet data convert`."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    source: Annotated[str, typer.Argument(help="A data set's folder, or `digits`.")],
    path: Annotated[Path, typer.Argument(help="New folder to write.")],
    *,
    to: Annotated[str, typer.Option("--to", help="voc, coco or yolo.")],
    source_format: Annotated[
        str | None, typer.Option("--from", help="voc, coco or yolo; detected when not given.")
    ] = None,
) -> None:
    """Write a data set in another format; boxes come back to within 0.01 px.

    Images are hard-linked where that is possible, else copied. Masks are not carried over.
    """
    from rich.console import Console

    from pocketdet.data.formats.convert import convert as convert_dataset
    from pocketdet.data.progress_bar import progress_bar

    with progress_bar() as progress:
        conversion = convert_dataset(
            source, path, to=to, source_format=source_format, progress=progress
        )
    Console(highlight=False).print(str(conversion), markup=False, soft_wrap=True)
