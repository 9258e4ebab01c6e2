"""A report as SARIF 2.1.0, which code hosts show at the line (OASIS standard, 2020)."""

import json
from pathlib import Path
from typing import Any

from pocketdet.doctor.finding import Finding, Severity
from pocketdet.doctor.report import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def to_sarif(report: Report, *, root: Path) -> str:
    """Give the findings as one SARIF document; paths are relative to `root` where they can be."""
    rules = [
        {
            "id": result.check.id,
            "shortDescription": {"text": result.check.summary},
            "fullDescription": {"text": result.check.explanation.partition("\n")[0]},
            "help": {"text": result.check.remedy, "markdown": result.check.explanation},
            "defaultConfiguration": {"level": LEVELS[result.check.severity]},
        }
        for result in report.results
    ]
    run = {
        "tool": {"driver": {"name": "pocketdet doctor", "rules": rules}},
        "results": [_result(finding, root) for finding in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(finding: Finding, root: Path) -> dict[str, Any]:
    where = finding.where or "the model"
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": where, "kind": "module"}]
    }
    if finding.path is not None and finding.line is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(Path(finding.path), root)},
            "region": {"startLine": finding.line},
        }
    return {
        "ruleId": finding.check,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{where}: {finding.evidence} {finding.remedy}"},
        "locations": [location],
    }


def _uri(path: Path, root: Path) -> str:
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_uri() if path.is_absolute() else path.as_posix()
