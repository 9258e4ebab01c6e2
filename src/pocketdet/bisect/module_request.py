"""What `pocketdet bisect --modules` was asked for, turned into a search."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from pocketdet.bisect.conduct import LOG, Clock, conduct, numbered
from pocketdet.bisect.doctor_judge import BothJudges
from pocketdet.bisect.log import Log
from pocketdet.bisect.module_judge import Loss, ModuleDoctorJudge, ModuleTrainer
from pocketdet.bisect.module_space import Ends, Hybrid, ModuleSpace
from pocketdet.bisect.own_judge import OwnJudge
from pocketdet.bisect.result import BisectResult, with_findings, write_result
from pocketdet.bisect.search import Asked
from pocketdet.bisect.training_judge import TrainingJudge
from pocketdet.bisect.verdict import Judge, check_judge
from pocketdet.doctor.named_patient import build_named, named_function, parse_inputs

DEFAULT_INPUT = "2x3x128x128"


@dataclass(frozen=True, kw_only=True)
class ModuleRequest:
    """Two networks as `module:name`, what they take, and a loss of (model, inputs) to a scalar.

    `judge` is doctor, train or both, where training needs the loss; or, as `module:name`, a
    function of a network that gives True for a sound one. `ask_doctor`: as in `BisectRequest`.
    """

    healthy: str
    altered: str
    input: str = DEFAULT_INPUT
    loss: str | None = None
    judge: str = "doctor"
    out: Path | None = None
    ask_doctor: bool = False
    most_steps: int = 160
    num_seeds: int = 3
    most_seeds: int = 5
    tolerance: float = 0.25
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        check_judge(self.judge)
        if self.judge in ("train", "both") and self.loss is None:
            raise ValueError(
                "`--loss` must name a function of (model, inputs) to a scalar, such as "
                "my_nets:loss, or there is nothing to train on; or take --judge doctor."
            )


def run_module_bisect(
    request: ModuleRequest,
    *,
    asked: Callable[[Asked], None] = lambda asked: None,
    tell: Callable[[str], None] = lambda doing: None,
) -> BisectResult:
    """Search the modules in which two networks differ for those that break the altered one."""
    clock = Clock(start=monotonic(), max_minutes=request.max_minutes)
    inputs = parse_inputs(request.input)
    loss: Loss | None = named_function(request.loss, "--loss") if request.loss else None
    space = ModuleSpace(
        lambda: build_named(request.healthy), lambda: build_named(request.altered), inputs
    )
    judge, training = _judges(request, space.ends, loss, tell)
    folder = request.out or numbered(Path("bisects"), request.altered.replace(":", "-"))
    progress, stopped = conduct(
        space, judge, log=Log(folder / LOG, about=_about(request, space)), clock=clock, asked=asked
    )
    result = BisectResult(
        healthy=request.healthy,
        altered=request.altered,
        judge=request.judge,
        data=f"inputs {request.input}",
        folder=folder,
        progress=progress,
        mended=None,
        altered_config=None,
        stopped=stopped,
        scales=tuple(training.scales) if training else (),
    )
    if request.judge in ("doctor", "both") or request.ask_doctor:
        result = with_findings(result, ModuleDoctorJudge(space.ends, loss=loss).errors, space)
    write_result(result, training, space)
    return result


def _judges(
    request: ModuleRequest, ends: Ends, loss: Loss | None, tell: Callable[[str], None]
) -> tuple[Judge[Hybrid], TrainingJudge[Hybrid] | None]:
    if ":" in request.judge:
        is_sound = named_function(request.judge, "--judge")
        own = OwnJudge[Hybrid](
            name=request.judge, is_sound=is_sound, build=lambda hybrid: hybrid.build(0)
        )
        return own, None
    doctor = ModuleDoctorJudge(ends, loss=loss)
    if loss is None or request.judge == "doctor":
        return doctor, None
    training = TrainingJudge(
        trainer=ModuleTrainer(ends=ends, loss=loss),
        healthy=Hybrid(names=frozenset(), ends=ends),
        num_seeds=request.num_seeds,
        most_seeds=request.most_seeds,
        most_steps=request.most_steps,
        tolerance=request.tolerance,
        tell=tell,
    )
    return (training if request.judge == "train" else BothJudges(doctor, training)), training


def _about(request: ModuleRequest, space: ModuleSpace) -> dict[str, Any]:
    names = ("healthy", "altered", "input", "loss", "judge", "tolerance")
    names += ("most_steps", "num_seeds", "most_seeds")
    return {
        **{name: getattr(request, name) for name in names},
        "changes": [str(change) for change in space.changes()],
    }
