"""The checks' documentation, from the docstrings of their files: for the terminal and as pages.

`python -m pocketdet.doctor.explain docs/checks` writes one page a check and an index.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
import sys

from pocketdet.doctor.check import Check
from pocketdet.doctor.checks import ALL_CHECKS

HEADINGS = (
    "## What it finds",
    "## Why it costs AP",
    "## Usual causes",
    "## When it is not a fault",
)


def find_check(name: str) -> Check:
    """Give the check of this name; raises `ValueError` with the nearest one."""
    by_id = {check.id: check for check in ALL_CHECKS}
    if name in by_id:
        return by_id[name]
    close = get_close_matches(name, by_id, n=1, cutoff=0.4)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    raise ValueError(f"there is no check `{name}`; `pocketdet doctor --list` names all.{hint}")


def page_of(check: Check) -> str:
    """Give a check's documentation as Markdown."""
    title, _, body = check.explanation.partition("\n")
    return (
        f"# {check.id}\n\n*{check.severity.value}, stage {check.stage.title}*\n\n"
        f"{title.strip()}\n{body.rstrip()}\n\n## What to do\n{check.remedy}\n"
    )


def index_of(checks: Sequence[Check]) -> str:
    """Give the table of all checks as Markdown."""
    rows = [
        f"| [{c.id}]({c.id}.md) | {c.summary} | {c.severity.value} | {c.stage.title} |"
        for c in checks
    ]
    head = "# Checks of the doctor\n\nWritten from the checks' own files by "
    head += "`python -m pocketdet.doctor.explain docs/checks`.\n\n"
    table = "| check | finds | severity | stage |\n|---|---|---|---|\n"
    return head + table + "\n".join(rows) + "\n"


def pages() -> dict[str, str]:
    """Give every page by its file name."""
    written = {f"{check.id}.md": page_of(check) for check in ALL_CHECKS}
    return {"README.md": index_of(ALL_CHECKS), **written}


def write_pages(folder: Path) -> None:
    """Write every page, and remove those of checks that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
