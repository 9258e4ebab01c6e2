"""`pocketdet bisect`."""

from pathlib import Path
from typing import Annotated

import typer

from pocketdet.cli.exit_code import ExitCode


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
        str | None,
        typer.Option(help="With --modules: what they take (2x3x128x128), as `doctor` has it."),
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="With --modules: module:name of (model, inputs) to a scalar.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="train (blind), doctor (trains nothing) or both (the doctor first); both, and "
            "doctor for --modules without --loss. Or module:name of a function of a network."
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
    most_steps: Annotated[
        int | None, typer.Option(help="The longest training to try: 640, and 160 for --modules.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the trainings.")] = None,
    tolerance: Annotated[
        float, typer.Option(help="Share of the loss below which the rest is called healthy.")
    ] = 0.25,
    split_train: Annotated[str | None, typer.Option(help="Split to train on: train.")] = None,
    split_val: Annotated[str | None, typer.Option(help="Split to judge on: val.")] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda:N, or several by comma.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Trainings side by side; on a CPU one for each core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find the changes between two configs that make the second one worse.

    Exit code 0: no fault, or the ends do not differ by more than noise; 1: guilty changes; 2: it
    was stopped before it knew.
    """
    from pocketdet.bisect.options import BisectOptions
    from pocketdet.cli.bisect_text import bisect_display, show_bisect

    options = BisectOptions(
        healthy=healthy,
        altered=altered,
        modules=modules,
        data=data,
        input=input,
        loss=loss,
        judge=judge,
        out=out,
        max_minutes=max_minutes,
        ask_doctor=ask_doctor,
        seeds=seeds,
        most_seeds=most_seeds,
        most_steps=most_steps,
        learning_rate=learning_rate,
        tolerance=tolerance,
        split_train=split_train,
        split_val=split_val,
        device=device,
        jobs=jobs,
    )
    with bisect_display() as display:
        result = options.run(progress=display.progress, asked=display.asked, tell=display.tell)
    show_bisect(result, as_json=as_json)
    if result.is_faulty:
        raise typer.Exit(ExitCode.FINDINGS)
    if result.stopped:
        raise typer.Exit(ExitCode.FAILED)
