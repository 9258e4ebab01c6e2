"""The options of `pocketdet bisect` as the command line has them, turned into a search."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pocketdet.bisect.module_request import DEFAULT_INPUT, ModuleRequest, run_module_bisect
from pocketdet.bisect.request import BisectRequest, Tell, no_word, run_bisect
from pocketdet.bisect.result import BisectResult
from pocketdet.bisect.search import Asked
from pocketdet.data.progress import Progress, silent
from pocketdet.runs.data import DataSource

OF_CONFIGS = ("data", "learning_rate", "split_train", "split_val", "device", "jobs")
OF_MODULES = ("input", "loss")


@dataclass(frozen=True, kw_only=True)
class BisectOptions:
    """What is None was not given; an option that would do nothing is refused."""

    healthy: str
    altered: str
    modules: bool = False
    data: str | None = None
    input: str | None = None
    loss: str | None = None
    judge: str | None = None
    out: Path | None = None
    max_minutes: float | None = None
    ask_doctor: bool = False
    seeds: int = 3
    most_seeds: int = 5
    most_steps: int | None = None
    learning_rate: float | None = None
    tolerance: float = 0.25
    split_train: str | None = None
    split_val: str | None = None
    device: str | None = None
    jobs: int | None = None

    def __post_init__(self) -> None:
        for name in OF_CONFIGS if self.modules else OF_MODULES:
            if getattr(self, name) is not None:
                how = "with" if self.modules else "without"
                raise ValueError(
                    f"`--{name.replace('_', '-')}` has no effect {how} `--modules`; leave it out."
                )

    def run(
        self,
        *,
        progress: Progress = silent,
        asked: Callable[[Asked], None] = lambda asked: None,
        tell: Tell = no_word,
    ) -> BisectResult:
        """Search, and write the folder; raises `ValueError` for what cannot be."""
        if self.modules:
            return run_module_bisect(self._modules(), asked=asked, tell=tell)
        return run_bisect(self._configs(), progress=progress, asked=asked, tell=tell)

    def _modules(self) -> ModuleRequest:
        return ModuleRequest(
            healthy=self.healthy,
            altered=self.altered,
            input=self.input or DEFAULT_INPUT,
            loss=self.loss,
            judge=self.judge or ("doctor" if self.loss is None else "both"),
            out=self.out,
            ask_doctor=self.ask_doctor,
            num_seeds=self.seeds,
            most_seeds=self.most_seeds,
            most_steps=self.most_steps or ModuleRequest.most_steps,
            tolerance=self.tolerance,
            max_minutes=self.max_minutes,
        )

    def _configs(self) -> BisectRequest:
        if self.data is None:
            raise ValueError("`--data` must be a data set's folder, or `digits`; it was not given.")
        source = DataSource(
            data=self.data,
            split_train=self.split_train or DataSource.split_train,
            split_val=self.split_val or DataSource.split_val,
        )
        return BisectRequest(
            healthy=self.healthy,
            altered=self.altered,
            source=source,
            judge=self.judge or BisectRequest.judge,
            out=self.out,
            ask_doctor=self.ask_doctor,
            num_seeds=self.seeds,
            most_seeds=self.most_seeds,
            most_steps=self.most_steps or BisectRequest.most_steps,
            learning_rate=self.learning_rate,
            tolerance=self.tolerance,
            max_minutes=self.max_minutes,
            device=self.device or BisectRequest.device,
            jobs=self.jobs,
        )
