"""Progress on stderr for what is counted in bytes: size, rate and time left."""

from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def byte_bar() -> Generator[Callable[[str, int, int], None], None, None]:
    """Give a callback `(doing, done, total)` in bytes; a total of 0 means that nobody knows."""
    from rich.console import Console
    from rich.progress import (
        DownloadColumn,
        Progress,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    tasks: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.description}"),
        TaskProgressColumn(),  # a drawn bar would not fit into 80 columns beside these names
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def show(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                # What has come in an earlier run is no part of this run's rate.
                tasks[doing] = bars.add_task(doing, total=total or None, completed=done)
            bars.update(tasks[doing], completed=done, total=total or None)

        yield show
