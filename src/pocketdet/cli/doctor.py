"""`pocketdet doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from pocketdet.cli.exit_code import ExitCode


def doctor(
    target: Annotated[
        str | None,
        typer.Argument(
            help="A recipe, config file, run, model.onnx, or module:name of any network."
        ),
    ] = None,
    *,
    data: Annotated[
        str | None, typer.Option(help="A data set's folder, or `digits`: examine its way too.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which part of the data.")] = "train",
    input: Annotated[
        str | None, typer.Option(help="What module:name takes: 2x3x320x320, or names and sizes.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="module:name of (model, inputs) to a scalar.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The network before the change, named as the target is.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=1, help="Number of classes of a recipe without data.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Run this check alone (repeat).")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="check=reason: silence a check (repeat).")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds; the dearest checks are dropped first.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as findings.")] = False,
    explain: Annotated[str | None, typer.Option(help="Print a check's documentation.")] = None,
    list_checks: Annotated[bool, typer.Option("--list", help="Print all checks.")] = False,
    sarif: Annotated[
        Path | None, typer.Option(help="Write the findings as SARIF to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say whether a network is sound, and if not which module, which line, why, and what to do.

    Exit code 0: no error; 1: an error (with --strict: or a warning); 2: it cannot be examined.
    """
    from pocketdet.cli.doctor_text import print_checks, print_explanation, print_report

    if list_checks:
        print_checks(as_json=as_json)
        return
    if explain is not None:
        print_explanation(explain)
        return
    if target is None:
        raise ValueError("`pocketdet doctor` needs what to examine, --list or --explain CHECK.")

    from pocketdet.data.progress_bar import progress_bar
    from pocketdet.doctor.report import is_alarming
    from pocketdet.doctor.sarif import to_sarif
    from pocketdet.requests.examination import (
        ExaminationRequest,
        parse_allowed,
        run_examination,
    )

    request = ExaminationRequest(
        target=target,
        data=data,
        split=split,
        input=input,
        loss=loss,
        reference=reference,
        classes=classes,
        only=only or None,
        allow=parse_allowed(allow or []),
        budget_s=budget,
    )
    if sarif is not None:
        sarif.parent.mkdir(parents=True, exist_ok=True)
    with progress_bar() as progress:
        report = run_examination(request, progress=progress)
    if sarif is not None:
        sarif.write_text(to_sarif(report, root=Path.cwd()), encoding="utf-8")
    if as_json:
        typer.echo(report.to_json())
    else:
        print_report(report)
    if is_alarming(report, strict=strict):
        raise typer.Exit(ExitCode.FINDINGS)
