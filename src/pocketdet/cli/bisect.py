"""`pocketdet bisect`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pocketdet.cli.exit_code import ExitCode

if TYPE_CHECKING:
    from pocketdet.bisect.result import BisectResult


def bisect(
    healthy: Annotated[str, typer.Argument(help="A recipe's name or a config file that trains.")],
    altered: Annotated[str, typer.Argument(help="The same after the changes.")],
    *,
    data: Annotated[
        str | None, typer.Option(help="A data set's folder, or `digits`; for configs.")
    ] = None,
    modules: Annotated[
        bool, typer.Option("--modules", help="HEALTHY and ALTERED are module:name of networks.")
    ] = False,
    input: Annotated[
        str, typer.Option(help="With --modules: what the networks take, as in `pocketdet doctor`.")
    ] = "2x3x128x128",
    loss: Annotated[
        str | None, typer.Option(help="With --modules: module:name of (model, inputs) to a scalar.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="train (blind), doctor (trains nothing) or both (the doctor first); both, and "
            "doctor for --modules without --loss."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The bisect's folder; one that exists is gone on with.")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Stop in time, with the smallest set so far.")
    ] = None,
    ask_doctor: Annotated[
        bool, typer.Option("--ask-doctor", help="After a blind search: the doctor on the page.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="Trainings of each end: the noise.")] = 3,
    most_seeds: Annotated[int, typer.Option(help="Trainings of a set that is close.")] = 5,
    most_steps: Annotated[int, typer.Option(help="The longest training to try.")] = 640,
    learning_rate: Annotated[float | None, typer.Option(help="Of the trainings.")] = None,
    tolerance: Annotated[
        float, typer.Option(help="Share of the loss below which the rest is called healthy.")
    ] = 0.25,
    split_train: Annotated[str, typer.Option(help="Split to train on.")] = "train",
    split_val: Annotated[str, typer.Option(help="Split to judge on.")] = "val",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find the changes between two configs that make the second one worse.

    Exit code 0: no fault, or the ends do not differ by more than noise; 1: guilty changes.
    """
    from pocketdet.bisect.module_request import ModuleRequest, run_module_bisect
    from pocketdet.bisect.request import BisectRequest, check_judge, run_bisect
    from pocketdet.cli.bisect_text import bisect_display
    from pocketdet.training_data import DataSource

    if modules:
        module_request = ModuleRequest(
            healthy=healthy,
            altered=altered,
            input=input,
            loss=loss,
            judge=judge or ("doctor" if loss is None else "both"),
            out=out,
            num_seeds=seeds,
            tolerance=tolerance,
            max_minutes=max_minutes,
        )
        with bisect_display() as display:
            result = run_module_bisect(module_request, asked=display.asked, tell=display.tell)
        _end(result, as_json=as_json)
        return
    if data is None:
        raise ValueError("`--data` must be a data set's folder, or `digits`; it was not given.")
    request = BisectRequest(
        healthy=healthy,
        altered=altered,
        source=DataSource(data=data, split_train=split_train, split_val=split_val),
        judge=check_judge(judge or "both"),
        out=out,
        ask_doctor=ask_doctor,
        num_seeds=seeds,
        most_seeds=most_seeds,
        most_steps=most_steps,
        learning_rate=learning_rate,
        tolerance=tolerance,
        max_minutes=max_minutes,
        device=device,
    )
    with bisect_display() as display:
        result = run_bisect(
            request, progress=display.progress, asked=display.asked, tell=display.tell
        )
    _end(result, as_json=as_json)


def _end(result: "BisectResult", *, as_json: bool) -> None:
    from pocketdet.cli.bisect_text import show_bisect

    show_bisect(result, as_json=as_json)
    if result.is_faulty:
        raise typer.Exit(ExitCode.FINDINGS)
