"""A chain of compression steps from end to end; `compressed/NAME/` has all there is to know."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
import json
from pathlib import Path
from shutil import rmtree
from time import monotonic
from typing import Any

import torch
import yaml

from pocketdet.compress.figures import Figures, figures_of
from pocketdet.compress.how import load_steps
from pocketdet.compress.latency import resolve_runtime
from pocketdet.compress.order import check_order
from pocketdet.compress.origin import read_origin
from pocketdet.compress.report import CompressionReport, StepReport
from pocketdet.compress.result_folder import ResultFolder, save_detector, write_json, write_yaml
from pocketdet.compress.step import Step, StepResult
from pocketdet.compress.workbench import Workbench
from pocketdet.data.progress import Progress, silent
from pocketdet.model import Detector
from pocketdet.model.own_code import of_part
from pocketdet.runs.data import DataSource, open_training_data
from pocketdet.train.distributed import World, resolve_device
from pocketdet.train.settings_data import settings_from_data, settings_to_data


@dataclass(frozen=True, kw_only=True)
class CompressionRequest:
    """What to compress, how, and where the result goes.

    - `run`: a run's folder or a checkpoint;
    - `steps`: performed one after the other;
    - `source`: its splits are those of the run's training where they are None;
    - the result is `out / name`; without a name it is numbered: `out / RUN-STEPS-1`.
    """

    run: Path
    steps: Sequence[Step]
    data: str
    split_train: str | None = None
    split_val: str | None = None
    out: Path = Path("compressed")
    name: str | None = None
    runtime: str = "auto"
    threads: int = 1
    seed: int = 0
    device: str = "auto"


def run_compression(
    request: CompressionRequest, *, progress: Progress = silent
) -> CompressionReport:
    """Compress a detector; bad input raises `ValueError` before the folder is made."""
    resolve_runtime(request.runtime)
    device = resolve_device(request.device)
    origin = read_origin(request.run)
    check_order(origin.detector, request.steps)
    source = _source(request, origin.source)
    data = open_training_data(
        source, world=World(device=device), progress=progress, classes=origin.detector.classes
    )
    folder = ResultFolder.create(request.out, request.name, stem=_stem(request))
    asked = {**asdict(source), "run": str(request.run)}
    asked |= {name: getattr(request, name) for name in ("runtime", "threads", "seed")}
    write_yaml(folder.settings, settings_to_data(origin.settings))
    save_detector(folder.start, origin.detector)
    folder.describe(asked, request.steps)
    bench = Workbench(
        folder=folder.path,
        data=data,
        settings=origin.settings,
        scores_file=folder.scores,
        runtime=request.runtime,
        threads=request.threads,
        seed=request.seed,
        device=device,
        progress=progress,
    )
    with _left_as_it_stands(folder, request.steps, is_new=True):
        return _perform(folder, request.steps, asked, bench)


def resume_compression(
    path: Path, *, data: str | None = None, device: str = "auto", progress: Progress = silent
) -> CompressionReport:
    """Go on after the last finished step, with the same steps and settings.

    `data` says where the data is now, if it has moved.
    """
    folder = ResultFolder(path)
    if not folder.request.is_file() or not folder.steps.is_file():
        raise ValueError(f"`{path}` is no compression that can go on: it has no steps.yaml.")
    asked: dict[str, Any] = yaml.safe_load(folder.request.read_text(encoding="utf-8"))
    source = DataSource(**{name: asked[name] for name in ("data", "split_train", "split_val")})
    source = replace(source, data=data) if data else source
    chosen = resolve_device(device)
    bench = Workbench(
        folder=path,
        data=open_training_data(
            source,
            world=World(device=chosen),
            progress=progress,
            classes=Detector.load(folder.start).classes,
        ),
        settings=settings_from_data(yaml.safe_load(folder.settings.read_text(encoding="utf-8"))),
        scores_file=folder.scores,
        runtime=asked["runtime"],
        threads=asked["threads"],
        seed=asked["seed"],
        device=chosen,
        progress=progress,
    )
    steps = load_steps(folder.steps)
    with _left_as_it_stands(folder, steps, is_new=False):
        return _perform(folder, steps, asked, bench)


@contextmanager
def _left_as_it_stands(
    folder: ResultFolder, steps: Sequence[Step], *, is_new: bool
) -> Generator[None]:
    """Say how to go on with a folder whose work something stops; drop a new one without any."""
    try:
        yield
    except BaseException as error:
        if is_new and isinstance(error, ValueError) and not folder.has_begun(steps):
            rmtree(folder.path)
        else:
            error.add_note(f"`pocketdet compress --resume {folder.path}` goes on from there.")
        raise


def _perform(
    folder: ResultFolder, steps: Sequence[Step], asked: dict[str, Any], bench: Workbench
) -> CompressionReport:
    detectors = {"start": Detector.load(folder.start, device=bench.device)}
    current = detectors["start"]
    for number, step in enumerate(steps, start=1):
        if not folder.said(number, step).is_file():
            bench.progress(f"step {number} of {len(steps)}", number - 1, len(steps))
            torch.manual_seed(bench.seed)
            start = monotonic()
            own = replace(bench, folder=folder.work(number, step))
            result = _applied(step, f"step {number}", current, own)
            folder.keep(number, step, result, seconds=monotonic() - start)
        current = Detector.load(folder.checkpoint(number, step), device=bench.device)
        detectors[folder.checkpoint(number, step).stem] = current
    save_detector(folder.last, current)
    figures = _measured(detectors, bench)
    report = CompressionReport(
        folder=str(folder.path),
        asked=asked,
        start=figures["start"],
        steps=tuple(
            StepReport(
                name=folder.checkpoint(number, step).stem,
                said=json.loads(folder.said(number, step).read_text(encoding="utf-8")),
                figures=figures[folder.checkpoint(number, step).stem],
            )
            for number, step in enumerate(steps, start=1)
        ),
    )
    write_json(folder.report, report.to_data())
    folder.text.write_text(report.to_markdown(), encoding="utf-8")
    return report


def _applied(step: Step, place: str, detector: Detector, bench: Workbench) -> StepResult:
    if type(step).__module__.partition(".")[0] == "pocketdet":
        return step.apply(detector, bench)
    with of_part(place, step, "performed"):
        result: Any = step.apply(detector, bench)
    if not isinstance(result, StepResult):
        raise ValueError(
            f"`{place}`: `apply` of {type(step).__name__} must give a StepResult; it gave "
            f"{type(result).__name__}."
        )
    return result


def _measured(detectors: dict[str, Detector], bench: Workbench) -> dict[str, Figures]:
    """Score and time all stages, the latter in turn."""
    latencies = bench.latencies(detectors)
    return {
        name: figures_of(detector, bench.evaluate(detector), latencies[name])
        for name, detector in detectors.items()
    }


def _source(request: CompressionRequest, of_run: DataSource | None) -> DataSource:
    of_run = of_run or DataSource(data=request.data)
    return DataSource(
        data=request.data,
        split_train=request.split_train or of_run.split_train,
        split_val=request.split_val or of_run.split_val,
    )


def _stem(request: CompressionRequest) -> str:
    names = [type(step).__name__.lower() for step in request.steps]
    run = request.run.resolve()
    return "-".join([run.name if run.is_dir() else run.stem, *names])
