"""`pocketdet judge`."""

from typing import Annotated

import typer


def judge(
    config: Annotated[str, typer.Argument(help="A recipe's name or a config file.")],
    *,
    against: Annotated[str, typer.Option(help="A config that is healthy.")],
    data: Annotated[str, typer.Option(help="A data set's folder, or `digits`.")],
    judge: Annotated[str, typer.Option(help="train, doctor or both (the doctor first).")] = "both",
    seeds: Annotated[int, typer.Option(help="Trainings of the healthy end: the noise.")] = 3,
    most_seeds: Annotated[int, typer.Option(help="Trainings of the config if it is close.")] = 5,
    most_steps: Annotated[int, typer.Option(help="The longest training to try.")] = 160,
    tolerance: Annotated[
        float, typer.Option(help="Faulty lacks this share of what the healthy one learns.")
    ] = 0.25,
    learning_rate: Annotated[float | None, typer.Option(help="Of the trainings.")] = None,
    split_train: Annotated[str, typer.Option(help="Split to train on.")] = "train",
    split_val: Annotated[str, typer.Option(help="Split to judge on.")] = "val",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    jobs: Annotated[
        int | None, typer.Option(help="Trainings side by side; on a CPU one for each core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tell a healthy config from a faulty one, for `git bisect run pocketdet judge CONFIG …`.

    Exit code 0: healthy; 1: faulty; 125: it cannot be built, or it is too close to say;
    128: nothing could be judged, as the data are missing; `git bisect run` ends there.
    """
    from pocketdet.bisect.request import JudgeRequest
    from pocketdet.bisect.single import judge_config
    from pocketdet.cli.bisect_text import bisect_display, show_judgement
    from pocketdet.runs.data import DataSource

    request = JudgeRequest(
        config=config,
        against=against,
        source=DataSource(data=data, split_train=split_train, split_val=split_val),
        judge=judge,
        num_seeds=seeds,
        most_seeds=most_seeds,
        most_steps=most_steps,
        tolerance=tolerance,
        learning_rate=learning_rate,
        device=device,
        jobs=jobs,
    )
    with bisect_display() as display:
        judgement = judge_config(request, progress=display.progress, tell=display.tell)
    raise typer.Exit(show_judgement(judgement, as_json=as_json))
