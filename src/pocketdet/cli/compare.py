"""`pocketdet compare`: whether a change is worth it, or is noise."""

from pathlib import Path
from typing import Annotated

import typer

LEARNING, BUDGET = "Learning", "Budget"


def compare(
    configs: Annotated[
        list[str],
        typer.Argument(help="Recipes, config files or runs; the first is the reference."),
    ],
    *,
    data: Annotated[str, typer.Option(help="A data set's folder, or `digits`.")],
    split_train: Annotated[str, typer.Option(help="Split to train on.")] = "train",
    split_val: Annotated[str, typer.Option(help="Split to measure on.")] = "val",
    train_images: Annotated[
        int | None, typer.Option(help="Train on so many images only.", rich_help_panel=BUDGET)
    ] = None,
    val_images: Annotated[
        int | None, typer.Option(help="Measure on so many images only.", rich_help_panel=BUDGET)
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Most seeds; fewer where they suffice.", rich_help_panel=BUDGET)
    ] = 5,
    budget: Annotated[
        str | None,
        typer.Option(help="Most training time: 90s, 20m, 2h.", rich_help_panel=BUDGET),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(help="The difference that matters, in AP points.", rich_help_panel=BUDGET),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML with any setting.", rich_help_panel=LEARNING)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data.", rich_help_panel=LEARNING)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Images at once.", rich_help_panel=LEARNING)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Its largest value.", rich_help_panel=LEARNING)
    ] = None,
    augmentation: Annotated[
        str | None, typer.Option(help="pelee, light or none.", rich_help_panel=LEARNING)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The first seed.", rich_help_panel=LEARNING)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The comparison's folder; goes on with what is there.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:N, or several by comma.")] = "auto",
    jobs: Annotated[int, typer.Option(help="Trainings side by side on each device.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Train configs in turns over several seeds, all else equal; give differences and a verdict."""
    from pocketdet.cli.compare_text import show_comparison
    from pocketdet.compare import run_comparison
    from pocketdet.data.progress_bar import progress_bar
    from pocketdet.requests.comparison import CompareOptions

    request = CompareOptions(
        configs=configs,
        data=data,
        split_train=split_train,
        split_val=split_val,
        seeds=seeds,
        budget=budget,
        difference=difference,
        out=out,
        device=device,
        jobs=jobs,
        num_train=train_images,
        num_val=val_images,
        settings=settings,
        changes={
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "augmentation": augmentation,
            "seed": seed,
        },
    ).request()
    with progress_bar() as progress:
        comparison = run_comparison(request, progress=progress)
    show_comparison(comparison, request.out, as_json=as_json)
