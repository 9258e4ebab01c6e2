"""What a check saw, and what the doctor makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Severity(StrEnum):
    """How much a finding matters, by its measured effect."""

    ERROR = "error"  # AP cannot be right while this stands
    WARNING = "warning"  # AP is probably lower than it should be
    INFO = "info"  # worth knowing

    @property
    def rank(self) -> int:
        """0 for what must be read first."""
        return ("error", "warning", "info").index(self.value)


@dataclass(frozen=True)
class SourceLine:
    """A line of the user's code."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.path).name}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One place where a check saw its fault; checks yield these.

    - `where`: the module's qualified name as in `named_modules()`, "" for the model itself;
    - `evidence`: the measured sentence, which makes sense alone;
    - `source`: the user's line, where there is one;
    - `measured`: the numbers behind the evidence;
    - `severity`, `remedy`: in place of the check's own, where this place is special;
    - `at`: the operator's place in the recorded pass: earlier faults are reported first.
    """

    where: str
    evidence: str
    source: SourceLine | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None
    remedy: str | None = None
    at: int = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A fault that the doctor reports.

    - `check`: the fault's name; `severity`: "error", "warning" or "info";
    - `where`: the module's qualified name, "" for the model itself or what lies around it;
    - `source`: "file.py:41", the user's own line, or None; `path`: that file's whole path;
    - `evidence`: the measured sentence; `measured`: its numbers; `remedy`: what to do;
    - `follows_from`: the check whose finding in the same place explains this one, or None.
    """

    check: str
    severity: Severity
    where: str
    source: str | None
    evidence: str
    measured: Mapping[str, Any]
    remedy: str
    path: str | None = None
    line: int | None = None
    follows_from: str | None = None

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold."""
        return {
            "check": self.check,
            "severity": self.severity.value,
            "where": self.where,
            "source": self.source,
            "path": self.path,
            "line": self.line,
            "evidence": self.evidence,
            "measured": dict(self.measured),
            "remedy": self.remedy,
            "follows_from": self.follows_from,
        }
