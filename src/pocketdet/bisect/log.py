"""The log of a bisect: one line a judgement, on disk before anything else happens."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
import json
import os
from pathlib import Path
from typing import Any, Protocol

from pocketdet.bisect.verdict import Judgement
from pocketdet.edit.config_changes import Change


class Memory(Protocol):
    """Where judgements are kept."""

    def recall(self, round: int, changes: tuple[Change, ...]) -> Judgement | None:
        """Give the judgement of a set in a round of the search, if there is one."""
        ...

    def keep(
        self, round: int, changes: tuple[Change, ...], judgement: Judgement, seconds: float
    ) -> Judgement:
        """Remember a judgement, and give it back with the time that it took."""
        ...


class Forgetful:
    """Keeps nothing: a search by itself remembers what it asked."""

    def recall(self, round: int, changes: tuple[Change, ...]) -> Judgement | None:
        return None

    def keep(
        self, round: int, changes: tuple[Change, ...], judgement: Judgement, seconds: float
    ) -> Judgement:
        return replace(judgement, seconds=seconds)


class Log:
    """A JSONL file: first what is searched, then a line for each judgement.

    A line is forced to disk before the search goes on, so that a killed bisect has lost at most
    the judgement it was at; half a line at the end, which a kill leaves, is cut off. Raises
    `ValueError` when the file is of another search.
    """

    def __init__(self, path: Path, *, about: Mapping[str, Any]) -> None:
        self.path = path
        self._kept: dict[tuple[int, frozenset[Change]], Judgement] = {}
        plain = json.loads(json.dumps(about))
        lines = list(_whole_lines(path))
        if not lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            self._append({"about": plain})
        elif lines[0].get("about") != plain:
            raise ValueError(
                f"`--out` must be new or the folder of this same bisect; {path.parent} has the log "
                "of another one (other configs, data, judge or settings). Choose another folder."
            )
        for line in lines[1:]:
            changes = frozenset(Change(**change) for change in line["changes"])
            self._kept[line["round"], changes] = Judgement.from_data(line["judgement"])

    def __len__(self) -> int:
        return len(self._kept)

    def recall(self, round: int, changes: tuple[Change, ...]) -> Judgement | None:
        return self._kept.get((round, frozenset(changes)))

    def keep(
        self, round: int, changes: tuple[Change, ...], judgement: Judgement, seconds: float
    ) -> Judgement:
        before = self.recall(round, changes)
        if before is not None:
            return before
        judgement = replace(judgement, seconds=seconds)
        self._append(
            {
                "round": round,
                "changes": [asdict(change) for change in changes],
                "judgement": judgement.to_data(),
            }
        )
        self._kept[round, frozenset(changes)] = judgement
        return judgement

    def _append(self, line: Mapping[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(line, allow_nan=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines that end, and cut off what a killed process left of one that does not."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole, newline, rest = content.rpartition(b"\n")
    if rest:
        with path.open("r+b") as file:
            file.truncate(len(whole) + len(newline))
    for line in _split(whole):
        yield json.loads(line)


def _split(content: bytes) -> Iterable[bytes]:
    return (line for line in content.split(b"\n") if line)
