"""What `pocketdet train` was asked for, turned into a run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pocketdet.config_file import find_config
from pocketdet.data.progress import Progress
from pocketdet.runs.data import DataSource
from pocketdet.runs.examination import check_mode
from pocketdet.runs.training import RunRequest, RunResult, resume_training, run_training
from pocketdet.train.events import Watcher
from pocketdet.train.settings_file import read_settings

DEFAULT_RECIPE = "PELEE_SMALL"


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a new run; what is None was not given. `changes` are settings by name."""

    recipe: str | None = None
    data: str | None = None
    split_train: str | None = None
    split_val: str | None = None
    out: Path | None = None
    name: str | None = None
    settings: Path | None = None
    doctor: str | None = None
    weights: Path | None = None
    changes: Mapping[str, Any]
    no_ema: bool = False

    def given(self) -> list[str]:
        """Name the options that were given, as on the command line."""
        names = [f.name for f in fields(self) if f.name != "changes" and getattr(self, f.name)]
        names += [name for name, value in self.changes.items() if value is not None]
        return ["RECIPE" if n == "recipe" else "--" + n.replace("_", "-") for n in names]


def start_or_resume(
    options: TrainOptions,
    *,
    resume: Path | None,
    device: str,
    minutes: float | None,
    progress: Progress,
    watch: Watcher,
) -> RunResult:
    """Train a new detector, or go on with a run, which has all of its settings already."""
    if resume is None:
        request = _request(options, device=device, minutes=minutes)
        return run_training(request, progress=progress, watch=watch)
    refused = [name for name in options.given() if name != "--data"]
    if refused:
        raise ValueError(
            "`--resume` goes on with a run's own detector and settings; only --data, --device and "
            f"--minutes can be given with it, not {', '.join(refused)}."
        )
    return resume_training(
        resume,
        data=options.data,
        device=device,
        max_minutes=minutes,
        progress=progress,
        watch=watch,
    )


def _request(options: TrainOptions, *, device: str, minutes: float | None) -> RunRequest:
    if options.data is None:
        raise ValueError("`--data` must be a data set's folder, or `digits`; it was not given.")
    recipe = options.recipe or DEFAULT_RECIPE
    settings = read_settings(
        options.settings, max_minutes=minutes, no_ema=options.no_ema, **options.changes
    )
    return RunRequest(
        config=find_config(recipe),
        source=DataSource(
            data=options.data,
            split_train=options.split_train or "train",
            split_val=options.split_val or "val",
        ),
        settings=settings,
        recipe=Path(recipe).stem,
        out=options.out or Path("runs"),
        name=options.name,
        device=device,
        doctor=check_mode(options.doctor or "on"),
        weights=options.weights,
    )
