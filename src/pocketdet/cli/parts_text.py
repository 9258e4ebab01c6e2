"""How the choices of parts are shown in a terminal."""

from rich.table import Table
from rich.text import Text

from pocketdet.model.catalog import Entry


def overview(entries: list[Entry]) -> Table:
    """Give a line for each choice; a part is named at its first."""
    table = Table(box=None, pad_edge=False)
    for column in ("part", "choice", "what it is"):
        table.add_column(column, overflow="fold")
    before = ""
    for entry in entries:
        table.add_row("" if entry.part == before else entry.part, entry.name, Text(entry.summary))
        before = entry.part
    return table


def explanation(entry: Entry) -> str:
    """Give a choice's docstring, its fields, and how a config file states it."""
    width = max((len(name) for name in entry.defaults), default=0)
    lines = [f"{entry.name}, a choice of {entry.part}", "", entry.text, ""]
    for name, default in entry.defaults.items():
        lines.append(f"  {name:<{width}}  {'required' if default is None else default}")
    needed = [name for name, default in entry.defaults.items() if default is None]
    stated = entry.name
    if needed:
        stated = f"{{{entry.name}: {{{', '.join(f'{name}: …' for name in needed)}}}}}"
    return "\n".join([*lines, "", f"In a config file: {stated}"])
