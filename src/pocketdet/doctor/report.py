"""What came of an examination: results as data, and as text that a tired person can act on."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
import json
import textwrap
from typing import Any

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Finding, Severity

WIDTH = 100


class Outcome(StrEnum):
    """What became of a check."""

    FOUND = "found"
    CLEAR = "clear"
    NOT_RUN = "not run"
    CRASHED = "crashed"
    ALLOWED = "allowed"  # found, and silenced with a reason


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one check; `reason` says why it was not run, crashed or was allowed."""

    check: Check
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    order: tuple[int, ...] = ()
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """The results of all checks, one each, in the order in which they ran."""

    results: tuple[Result, ...]
    seconds: float = 0.0

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """All findings that are not allowed: errors first, and the cause before what follows."""
        found = [
            (finding.severity.rank, finding.follows_from is not None, order, number, finding)
            for number, result in enumerate(self.results)
            if result.outcome is Outcome.FOUND
            for finding, order in zip(result.findings, result.order, strict=True)
        ]
        return tuple(row[-1] for row in sorted(found, key=lambda row: row[:-1]))

    @property
    def ok(self) -> bool:
        """Whether there is no error, and no check crashed."""
        return not any(f.severity is Severity.ERROR for f in self.findings) and not any(
            result.outcome is Outcome.CRASHED for result in self.results
        )

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "findings": [finding.to_data() for finding in self.findings],
            "results": [
                {
                    "check": result.check.id,
                    "stage": result.check.stage.title,
                    "outcome": result.outcome.value,
                    "reason": result.reason,
                    "findings": len(result.findings),
                    "seconds": round(result.seconds, 3),
                }
                for result in self.results
            ],
        }

    def to_json(self) -> str:
        """Give it as a JSON document."""
        return json.dumps(self.to_data(), indent=2, default=str)

    def __str__(self) -> str:
        blocks = [_block(finding, self._stands_on(finding)) for finding in self.findings]
        blocks += self._crashes()
        blocks += [_unhappy(result) for result in self.results if result.outcome is Outcome.ALLOWED]
        return "\n\n".join([*blocks, self.summary()])

    def _crashes(self) -> list[str]:
        """Tell what went wrong once, however many checks it stopped."""
        by_reason: dict[str, list[str]] = {}
        for result in self.results:
            if result.outcome is Outcome.CRASHED:
                by_reason.setdefault(result.reason, []).append(result.check.id)
        return [
            _wrapped(f"crashed[{', '.join(ids)}] {why}", "  ") for why, ids in by_reason.items()
        ]

    def summary(self) -> str:
        """Give the last lines: how many of what, and what was not looked at."""
        counts = dict.fromkeys(Severity, 0)
        for finding in self.findings:
            counts[finding.severity] += 1
        found = [_count(number, severity.value) for severity, number in counts.items() if number]
        outcomes = [result.outcome for result in self.results]
        clear = f"{outcomes.count(Outcome.CLEAR)} checks clear"
        crashed = f", {outcomes.count(Outcome.CRASHED)} crashed" * (Outcome.CRASHED in outcomes)
        verdict = ", ".join(found) or "nothing found"
        lines = [f"{verdict}; {clear}{crashed}; {self.seconds:.1f} s"]
        not_run = [result for result in self.results if result.outcome is Outcome.NOT_RUN]
        for reason in dict.fromkeys(result.reason for result in not_run):
            ids = ", ".join(result.check.id for result in not_run if result.reason == reason)
            lines.append(_wrapped(f"not run ({reason}): {ids}", "  "))
        return "\n".join(lines)

    def _stands_on(self, finding: Finding) -> str | None:
        """Name the error of an earlier stage that this finding stands on.

        What random evaluation disturbs is everything; errors of the structure disturb what is
        measured on outputs, losses and boxes.
        """
        stages = {result.check.id: result.check.stage for result in self.results}
        stage = stages[finding.check]
        for earlier in self.findings:
            disturbs = stages[earlier.check] is Stage.DETERMINISM or stage >= Stage.REGISTRATION
            is_red = earlier.severity is Severity.ERROR and stages[earlier.check] < stage
            if is_red and disturbs:
                return earlier.check
        return None


def _block(finding: Finding, stands_on: str | None) -> str:
    where = finding.where or "the model"
    place = f"{where} ({finding.source})" if finding.source else where
    lines = [
        f"{finding.severity.value}[{finding.check}] {place}",
        _wrapped(finding.evidence, "  "),
        _wrapped(f"remedy: {finding.remedy}", "  "),
        f"  more: pocketdet doctor --explain {finding.check}",
    ]
    if finding.follows_from:
        lines.append(f"  follows from: {finding.follows_from}")
    elif stands_on:
        lines.append(f"  stands on: {stands_on}, to be mended first")
    return "\n".join(lines)


def _unhappy(result: Result) -> str:
    return _wrapped(f"{result.outcome.value}[{result.check.id}] {result.reason}", "  ")


def _wrapped(text: str, indent: str) -> str:
    first = "" if text.startswith(("not run", "crashed", "allowed")) else indent
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent + "  " * (first == ""),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1 and noun != "info")


def is_alarming(report: Report, *, strict: bool) -> bool:
    """Say whether a report has an error or a crashed check, or in strict mode a warning."""
    warned = any(finding.severity is Severity.WARNING for finding in report.findings)
    return not report.ok or (strict and warned)
