"""The table of benchmarks/doctor.py: recall, alarms, seconds, and what was missed."""

from dataclasses import dataclass
import json
from pathlib import Path
import statistics
from typing import Any

from doctor_baselines import BASELINES
from doctor_scoring import Verdict, counted, judge

from seeded.program import PROGRAMS, Program

TRAINED = Path(__file__).resolve().parent / "results" / "seeded-training.json"
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A program whose faulty form and twin were both examined."""

    entry: Program
    verdicts: list[Verdict]
    faulty: Row
    twin: Row
    effect: str


def judged(rows: dict[str, Row]) -> list[Judged]:
    effects = json.loads(TRAINED.read_text()) if TRAINED.exists() else {}
    done = []
    for entry in PROGRAMS:
        faulty, twin = (rows.get(f"programs/{entry.id}{end}") for end in ("", " (twin)"))
        if faulty and twin:
            done.append(
                Judged(
                    entry=entry,
                    verdicts=judge(entry, faulty["findings"], twin["findings"]),
                    faulty=faulty,
                    twin=twin,
                    effect=effects.get(entry.id, {}).get("verdict", "undecided"),
                )
            )
    return done


def table(rows: dict[str, Row]) -> list[str]:
    """Lay out what the issue asks for."""
    done = judged(rows)
    lines = [
        "| part | faults | detected | as error | right place in first 3 | explained |",
        "|---|---|---|---|---|---|",
    ]
    for effect in ("faulty", "not trained", "undecided", "harmless"):
        single = [d for d in done if d.effect == effect and len(d.entry.faults) == 1]
        lines.append(_recall(f"one fault; by training: {effect}", single))
    counts = [d for d in done if d.effect != "harmless"]
    lines.append(_recall("one fault, without harmless", _with(counts, 1)))
    lines.append(_recall("two faults at once", _with(counts, 2)))
    lines += [
        "",
        "| alarms | subjects | with an error | with a warning only | crashed checks |",
        "|---|---|---|---|---|",
        _alarms("healthy twins", [d.twin for d in done]),
        _alarms("harmless", [d.faulty for d in done if d.effect == "harmless"]),
        _alarms("look-alikes", [r for r in rows.values() if r["part"] == "look-alikes"]),
        _alarms("others' networks, our recipes", [r for r in rows.values() if r["part"] == "wild"]),
        *_baselines(_with(counts, 1), done),
    ]
    if seconds := sorted(row["seconds"] for row in rows.values()):
        middle = statistics.median(seconds)
        lines += ["", f"Seconds: median {middle:.1f}, worst {seconds[-1]:.1f}."]
    return lines


def _with(done: list[Judged], faults: int) -> list[Judged]:
    return [d for d in done if len(d.entry.faults) == faults]


def _recall(title: str, done: list[Judged]) -> str:
    verdicts = [v for d in done for v in d.verdicts]
    cells = []
    for key in ("detected", "as_error", "placed", "explained"):
        count = sum(getattr(v, key) for v in verdicts)
        cells.append(f"{count} ({count / max(len(verdicts), 1):.0%})")
    return f"| {title} | {len(verdicts)} | {' | '.join(cells)} |"


def _alarms(title: str, rows: list[Row]) -> str:
    errors = sum(any(f["severity"] == "error" for f in row["findings"]) for row in rows)
    warned = sum(bool(counted(row["findings"])) for row in rows) - errors
    crashed = sum(len(row["crashed"]) for row in rows)
    return f"| {title} | {len(rows)} | {errors} | {warned} | {crashed} |"


def _baselines(single: list[Judged], done: list[Judged]) -> list[str]:
    asked = [d for d in single if "baselines" in d.faulty and "baselines" in d.twin]
    twins = [d.twin["baselines"] for d in done if "baselines" in d.twin]
    if not asked:
        return []
    lines = [
        "",
        "| baseline | complains of the faulty, not of its twin | of twins |",
        "|---|---|---|",
    ]
    for title in BASELINES:
        found = sum(d.faulty["baselines"][title] > d.twin["baselines"][title] for d in asked)
        alarms = sum(twin[title] for twin in twins)
        lines.append(f"| {title} | {found} of {len(asked)} | {alarms} of {len(twins)} |")
    return lines


def missed(rows: dict[str, Row]) -> list[str]:
    """List each fault not detected, placed and explained, and each alarm, one a line."""
    lines = ["", "Not detected, placed and explained (d, p, e), rank, and by what it was seen:", ""]
    for d in judged(rows):
        for fault, v in zip(d.entry.faults, d.verdicts, strict=True):
            got = "".join(
                letter if ok else "-"
                for letter, ok in (("d", v.detected), ("p", v.placed), ("e", v.explained))
            )
            if got != "dpe":
                by = ", ".join(v.by)
                lines.append(
                    f"- {got} {fault.rank} {d.entry.id}: {fault.mechanism} [{by}] {d.effect}"
                )
    lines += ["", "Alarms on what is right:", ""]
    for row in rows.values():
        if row["part"] != "programs" or row["name"].endswith("(twin)"):
            lines += [
                f"- {f['severity']} {row['name']}: {f['check']} at {f['where']!r} {f['source']}"
                for f in counted(row["findings"])
            ]
        lines += [f"- crashed {row['name']}: {crash[:200]}" for crash in row["crashed"]]
    return lines
