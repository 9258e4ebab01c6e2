"""What `pocketdet bisect` was asked for, turned into a search and a folder about it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
import os
from pathlib import Path
from time import monotonic
from typing import Any

from pocketdet.bisect.conduct import LOG, Clock, conduct, numbered
from pocketdet.bisect.config_space import ConfigSpace
from pocketdet.bisect.doctor_judge import BothJudges, DoctorJudge
from pocketdet.bisect.log import Log
from pocketdet.bisect.own_judge import OwnJudge
from pocketdet.bisect.result import BisectResult, with_findings, write_result
from pocketdet.bisect.search import Asked
from pocketdet.bisect.training_judge import TrainingJudge
from pocketdet.bisect.trial_trainer import JUDGE_SETTINGS, TrialTrainer
from pocketdet.bisect.verdict import Judge, check_judge
from pocketdet.config_file import find_config
from pocketdet.data.cache_folder import cache_folder
from pocketdet.data.progress import Progress, silent
from pocketdet.doctor.named_patient import named_function
from pocketdet.model import DetectorConfig, build
from pocketdet.model.config_data import config_to_data
from pocketdet.runs.data import DataSource
from pocketdet.runs.own_patient import NUM_SAMPLES
from pocketdet.train.distributed import resolve_device
from pocketdet.trial import SideBySide, TrialData, open_trial_data
from pocketdet.trial.trial import own_parts

MOST_JOBS = 6
"""Both ends with three seeds; a search has no use for more."""

Tell = Callable[[str], None]


def no_word(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class BisectRequest:
    """Two configs, data, and how to judge; what is None is chosen.

    - `healthy`, `altered`: recipes or config files; `out`: the bisect's folder, numbered if None;
    - `judge`: "train" is blind, "doctor" trains nothing, "both" asks the doctor first; or a
      function of a detector that gives True for a sound one, as module:name;
    - `ask_doctor`: examine at the end what a blind search found, for the page;
    - `num_seeds`, `most_seeds`, `most_steps`, `learning_rate`, `tolerance`: of `TrainingJudge`;
    - `max_minutes`: stop, and hand back what there is;
    - `jobs`: trainings side by side on the device; None: on a CPU as many as it has cores.
    """

    healthy: str
    altered: str
    source: DataSource
    judge: str = "both"
    out: Path | None = None
    ask_doctor: bool = False
    num_seeds: int = 3
    most_seeds: int = 5
    most_steps: int = 640
    learning_rate: float | None = None
    tolerance: float = 0.25
    max_minutes: float | None = None
    device: str = "auto"
    jobs: int | None = None

    def __post_init__(self) -> None:
        check_judge(self.judge)
        if not 0 < self.tolerance < 1:
            raise ValueError(f"`--tolerance` must be in (0, 1); got {self.tolerance:g}.")
        if self.jobs is not None and self.jobs < 1:
            raise ValueError(f"`--jobs` must be at least 1; got {self.jobs}.")

    def machines(self, data: TrialData) -> SideBySide:
        """Give what trains; a judge that trains nothing needs no more than this process."""
        is_trained = self.judge in ("train", "both")
        jobs = (self.jobs or usual_jobs(self.device)) if is_trained else 1
        return SideBySide(devices=tuple(self.device.split(",")) * jobs, data=data)


def usual_jobs(device: str) -> int:
    """Say how many trainings a device has room for at once: one, or one for each core."""
    if resolve_device(device.split(",")[0]).type != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(MOST_JOBS, cores or 1)


@dataclass(frozen=True, kw_only=True)
class Judges:
    """What judges, and its parts where the page wants them."""

    judge: Judge[DetectorConfig]
    training: TrainingJudge[DetectorConfig] | None
    doctor: DoctorJudge | None


def make_judges(
    request: BisectRequest,
    healthy: DetectorConfig,
    machines: SideBySide,
    trials: Path,
    tell: Tell,
) -> Judges:
    """Make the judge that was asked for; a blind one has no doctor at all."""
    data = machines.data
    classes, samples = data.data.classes, [s for s in data.data.train if len(s.labels)]
    if ":" in request.judge:
        own = OwnJudge[DetectorConfig](
            name=request.judge,
            is_sound=named_function(request.judge, "--judge"),
            build=lambda config: build(config, classes=classes, seed=0),
        )
        return Judges(judge=own, training=None, doctor=None)
    doctor = training = None
    if request.judge != "train":
        doctor = DoctorJudge(
            healthy, classes=classes, samples=samples[:NUM_SAMPLES], traits=data.data.traits
        )
    if request.judge != "doctor":
        rate = request.learning_rate or JUDGE_SETTINGS.learning_rate
        trainer = TrialTrainer(
            healthy=healthy,
            source=request.source,
            machines=machines,
            folder=trials,
            settings=replace(JUDGE_SETTINGS, learning_rate=rate),
        )
        training = TrainingJudge(
            trainer=trainer,
            healthy=healthy,
            num_seeds=request.num_seeds,
            most_seeds=request.most_seeds,
            most_steps=request.most_steps,
            tolerance=request.tolerance,
            tell=tell,
        )
    if doctor is not None and training is not None:
        return Judges(judge=BothJudges(doctor, training), training=training, doctor=doctor)
    judge = doctor or training
    assert judge is not None
    return Judges(judge=judge, training=training, doctor=doctor)


def run_bisect(
    request: BisectRequest,
    *,
    progress: Progress = silent,
    asked: Callable[[Asked], None] = lambda asked: None,
    tell: Tell = no_word,
) -> BisectResult:
    """Search for the guilty sets, and write page.html, result.json and mended.yaml.

    Ctrl-C and the end of the time hand back what there is; the same command with the same folder
    goes on. Raises `ValueError` for what cannot be searched.
    """
    clock = Clock(start=monotonic(), max_minutes=request.max_minutes)
    healthy, altered = find_config(request.healthy), find_config(request.altered)
    data = open_trial_data(request.source, progress=progress)
    space = ConfigSpace(healthy, altered, classes=data.data.classes)
    folder = request.out or numbered(Path("bisects"), Path(request.altered).stem)
    log = Log(folder / LOG, about=_about(request, healthy, altered, data))
    with request.machines(data) as machines:
        judges = make_judges(request, healthy, machines, folder / "trials", tell)
        progress_made, stopped = conduct(space, judges.judge, log=log, clock=clock, asked=asked)
        result = BisectResult(
            healthy=request.healthy,
            altered=request.altered,
            judge=request.judge,
            data=request.source.data,
            folder=folder,
            progress=progress_made,
            mended=space.make(progress_made.rest) if progress_made.found else None,
            altered_config=altered,
            stopped=stopped,
            scales=tuple(judges.training.scales) if judges.training else (),
        )
        doctor = judges.doctor
        if request.ask_doctor and doctor is None and result.is_faulty:
            doctor = DoctorJudge(healthy, classes=data.data.classes, traits=data.data.traits)
        if doctor is not None:
            result = with_findings(result, doctor.errors, space)
        write_result(result, judges.training, space)
    return result


def _about(
    request: BisectRequest, healthy: DetectorConfig, altered: DetectorConfig, data: TrialData
) -> dict[str, Any]:
    settings = asdict(request)
    for name in (
        "out",
        "max_minutes",
        "ask_doctor",
        "healthy",
        "altered",
        "source",
        "device",
        "jobs",
    ):
        settings.pop(name)
    return {
        "healthy": config_to_data(healthy),
        "altered": config_to_data(altered),
        "own_parts": own_parts(healthy, altered),
        "data": data.fingerprint,
        "settings": settings,
    }


@dataclass(frozen=True, kw_only=True)
class JudgeRequest:
    """One config to be told healthy from faulty, for `git bisect run`."""

    config: str
    against: str
    source: DataSource
    judge: str = "both"
    num_seeds: int = 3
    most_seeds: int = 5
    most_steps: int = 160
    tolerance: float = 0.25
    learning_rate: float | None = None
    device: str = "auto"
    jobs: int | None = None

    @property
    def as_bisect(self) -> BisectRequest:
        return BisectRequest(
            healthy=self.against,
            altered=self.config,
            source=self.source,
            judge=self.judge,
            num_seeds=self.num_seeds,
            most_seeds=self.most_seeds,
            most_steps=self.most_steps,
            tolerance=self.tolerance,
            learning_rate=self.learning_rate,
            device=self.device,
            jobs=self.jobs,
        )


def default_trials() -> Path:
    """Say where single judgements keep their trainings, so that a healthy end is trained once."""
    return cache_folder() / "judge"
