"""What `pocketdet bisect` and `pocketdet judge` show."""

from collections.abc import Generator
from contextlib import contextmanager
import json
from time import monotonic

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from pocketdet.bisect.result import BisectResult
from pocketdet.bisect.search import Asked
from pocketdet.bisect.verdict import Judgement, Verdict

STYLES = {
    Verdict.FAULTY: "bold red",
    Verdict.HEALTHY: "green",
    Verdict.UNTESTABLE: "yellow",
    Verdict.UNDECIDED: "yellow",
}

GIT_EXIT_CODES = {
    Verdict.HEALTHY: 0,
    Verdict.FAULTY: 1,
    Verdict.UNTESTABLE: 125,
    Verdict.UNDECIDED: 125,
}


class BisectDisplay:
    """A line a judgement on stderr; where it is a terminal, also what is being done."""

    def __init__(self, console: Console, status: Status | None) -> None:
        self._console, self._status = console, status
        self._start = monotonic()
        self._left = ""

    def progress(self, doing: str, done: int, total: int) -> None:
        """Show other work, such as reading the data."""
        self.tell(f"{doing} {done:,}/{total:,}")

    def tell(self, doing: str) -> None:
        """Say what is being done now."""
        if self._status is not None:
            minutes = (monotonic() - self._start) / 60
            self._status.update(escape(f"{doing}; {minutes:.1f} min{self._left}"))

    def asked(self, asked: Asked) -> None:
        """Print a judgement, and how many may follow."""
        style, verdict = STYLES[asked.judgement.verdict], asked.judgement.verdict.value
        self._left = (
            f"; at most {asked.most_for_this} more if one more change is guilty, "
            f"{asked.most_in_all} if all are"
        )
        names = ", ".join(change.field for change in asked.changes) or "none"
        self._console.print(
            f"{asked.number:>3}  [{style}]{verdict:<10}[/] {escape(names)}", soft_wrap=True
        )
        self._console.print(
            f"     {escape(asked.judgement.why)} ({asked.judgement.seconds:.0f} s{self._left})",
            style="dim",
            soft_wrap=True,
        )


@contextmanager
def bisect_display() -> Generator[BisectDisplay]:
    """Give what a bisect tells; everything goes to stderr."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield BisectDisplay(console, None)
        return
    with console.status("…") as status:
        yield BisectDisplay(console, status)


def show_bisect(result: BisectResult, *, as_json: bool) -> None:
    """Print the guilty sets, why it ended, and where the page is."""
    console = Console(highlight=False)
    if as_json:
        document = json.dumps(result.to_data(), indent=2, default=str)
        console.print(document, soft_wrap=True, markup=False)
        return
    progress = result.progress
    for guilty in progress.found:
        together = ", faulty only together" * (len(guilty.changes) > 1)
        console.print(f"[bold red]guilty[/]{together}")
        for change in guilty.changes:
            console.print(f"  {escape(str(change))}", soft_wrap=True)
        console.print(f"  {escape(guilty.judgement.why)}", style="dim", soft_wrap=True)
    for change in progress.left_out:
        console.print(f"taken out with it: {escape(str(change))}", soft_wrap=True)
    if progress.ended:
        console.print(escape(progress.ended), soft_wrap=True)
    else:
        _show_stopped(console, result)
    if progress.undecided:
        console.print(f"Too close to say (see the page): {_judgements(progress.undecided)}.")
    console.print(f"{_judgements(result.num_judgements)}, {result.minutes:.1f} minutes")
    files = "page.html, result.json" + ", mended.yaml" * (result.mended is not None)
    console.print(f"{files} are in {escape(str(result.folder))}", soft_wrap=True)


def _judgements(number: int) -> str:
    return f"{number} judgement{'s' * (number != 1)}"


def _show_stopped(console: Console, result: BisectResult) -> None:
    console.print(f"Not complete: {escape(result.stopped)}.")
    if result.progress.smallest:
        console.print("The smallest faulty set so far:")
    for change in result.progress.smallest:
        console.print(f"  {escape(str(change))}", soft_wrap=True)
    console.print(
        f"To go on: the same command with --out {escape(str(result.folder))}", soft_wrap=True
    )


def show_judgement(judgement: Judgement, *, as_json: bool) -> int:
    """Print a judgement; gives the exit code that `git bisect run` wants."""
    console = Console(highlight=False)
    if as_json:
        console.print(json.dumps(judgement.to_data(), default=str), soft_wrap=True, markup=False)
    else:
        style = STYLES[judgement.verdict]
        console.print(
            f"[{style}]{judgement.verdict.value}[/]: {escape(judgement.why)}", soft_wrap=True
        )
    return GIT_EXIT_CODES[judgement.verdict]
