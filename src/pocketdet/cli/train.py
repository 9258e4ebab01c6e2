"""`pocketdet train`."""

from pathlib import Path
from typing import Annotated

import typer

from pocketdet.cli.exit_code import ExitCode

LEARNING, PLACE = "Learning", "Data and run"


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name or a config file; PELEE_SMALL if none.")
    ] = None,
    *,
    data: Annotated[
        str | None,
        typer.Option(help="A data set's folder, or `digits`.", rich_help_panel=PLACE),
    ] = None,
    split_train: Annotated[
        str | None, typer.Option(help="Split to train on (train).", rich_help_panel=PLACE)
    ] = None,
    split_val: Annotated[
        str | None, typer.Option(help="Split to evaluate on (val).", rich_help_panel=PLACE)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of all runs (runs).", rich_help_panel=PLACE)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The run's own folder (numbered).", rich_help_panel=PLACE)
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="A run's folder to go on with.", rich_help_panel=PLACE)
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="A checkpoint or run to start from, where the structure is the same.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="YAML with any setting; a run's settings.yaml will do.",
            rich_help_panel=LEARNING,
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data.", rich_help_panel=LEARNING)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Images at once.", rich_help_panel=LEARNING)
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Batches to one step.", rich_help_panel=LEARNING)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Its largest value.", rich_help_panel=LEARNING)
    ] = None,
    augmentation: Annotated[
        str | None, typer.Option(help="pelee, light or none.", rich_help_panel=LEARNING)
    ] = None,
    no_ema: Annotated[
        bool,
        typer.Option("--no-ema", help="Do not average weights.", rich_help_panel=LEARNING),
    ] = False,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many evaluations without a better AP.", rich_help_panel=LEARNING
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything random.", rich_help_panel=LEARNING)
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop in time.", rich_help_panel=LEARNING)
    ] = None,
    doctor: Annotated[
        str | None,
        typer.Option(help="Examine before the first step: on or off (on)."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train although the doctor found errors.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="auto, float32, bfloat16 or float16.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that prepare batches (by cores).")
    ] = None,
    cache: Annotated[bool, typer.Option("--cache", help="Keep decoded images on disk.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Train a detector; everything about the run goes to runs/NAME/.

    Several GPUs: torchrun --nproc-per-node 2 -m pocketdet train …
    """
    from pocketdet.cli.doctor_text import show_unsound
    from pocketdet.cli.training_display import show_result, training_display
    from pocketdet.requests.training import TrainOptions, start_or_resume
    from pocketdet.runs.examination import UnsoundDetector

    options = TrainOptions(
        recipe=recipe,
        data=data,
        split_train=split_train,
        split_val=split_val,
        out=out,
        name=name,
        settings=settings,
        doctor="force" if force else doctor,
        weights=weights,
        changes={
            "epochs": epochs,
            "batch_size": batch_size,
            "accumulate": accumulate,
            "learning_rate": learning_rate,
            "augmentation": augmentation,
            "patience": patience,
            "seed": seed,
            "precision": precision,
            "num_workers": workers,
            "cache": cache or None,
        },
        no_ema=no_ema,
    )
    try:
        with training_display() as (progress, watch):
            result = start_or_resume(
                options,
                resume=resume,
                device=device,
                minutes=minutes,
                progress=progress,
                watch=watch,
            )
    except UnsoundDetector as unsound:
        show_unsound(unsound)
        raise typer.Exit(ExitCode.FINDINGS) from unsound
    show_result(result, as_json=as_json)
