"""One judgement of one config, for `git bisect run` and for scripts."""

from collections.abc import Callable, Sequence

from pocketdet.bisect.config_space import try_out
from pocketdet.bisect.request import JudgeRequest, default_trials, make_judges
from pocketdet.bisect.scale import FAULTY_FROM, Scale, scale_between
from pocketdet.bisect.signals import SCORE, SIGNALS, TRAINING
from pocketdet.bisect.space import CannotBeMade
from pocketdet.bisect.training_judge import FIRST_STEPS, TrainingJudge
from pocketdet.bisect.verdict import Judgement, Verdict
from pocketdet.bisect.yardstick import ByScale
from pocketdet.config_file import find_config
from pocketdet.data.progress import Progress, silent
from pocketdet.model import DetectorConfig
from pocketdet.trial import TrialResult, open_trial_data


def judge_config(
    request: JudgeRequest,
    *,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda doing: None,
) -> Judgement:
    """Say whether a config is faulty beside a healthy one.

    A config that cannot be read, built or run is untestable. With no far end, the training judge
    measures by what the healthy one learns: faulty is what lacks more than `tolerance` of it.
    """
    try:
        config = find_config(request.config)
    except (ValueError, ImportError, AttributeError, TypeError, SyntaxError) as error:
        return Judgement(verdict=Verdict.UNTESTABLE, why=f"{type(error).__name__}: {error}")
    healthy = find_config(request.against)
    data = open_trial_data(request.source, progress=progress)
    try:
        try_out(config, data.data.classes)
    except CannotBeMade as error:
        return Judgement(verdict=Verdict.UNTESTABLE, why=str(error))
    asked = request.as_bisect
    with asked.machines(data) as machines:
        judges = make_judges(asked, healthy, machines, default_trials(), tell)
        if ":" in request.judge:
            return judges.judge(config)
        if judges.doctor is not None:
            judgement = judges.doctor(config)
            if judgement.is_faulty or judges.training is None:
                return judgement
        assert judges.training is not None
        return judge_by_learning(judges.training, config, request.tolerance)


def judge_by_learning(
    judge: TrainingJudge[DetectorConfig], config: DetectorConfig, tolerance: float
) -> Judgement:
    """Train the healthy end until it has learned much more than seeds scatter, then the config."""
    still = judge.never_learns(config)
    if still is not None:
        return still
    names = judge.trainer.signals(judge.healthy, config)
    if TRAINING not in names:
        return judge.open(config)
    steps = 2 * FIRST_STEPS
    while True:
        results = judge.trainer([(judge.healthy, s) for s in range(judge.num_seeds)], steps=steps)
        starts = [result.history[0]["loss"] for result in results]
        scale = _scale_of_learning(TRAINING, results, starts, 2 * tolerance)
        if scale.is_plain or 2 * steps > judge.most_steps:
            break
        steps *= 2
    judgement = judge.judged(config, ByScale(scale=scale, limit=FAULTY_FROM))
    if judgement.verdict is Verdict.FAULTY or SCORE not in names:
        return judgement
    scale = _scale_of_learning(SCORE, results, [1.0] * len(results), 2 * tolerance)
    if scale.clarity < 1:  # The healthy end finds too little to be measured by it.
        return judgement
    other = judge.judged(config, ByScale(scale=scale, limit=FAULTY_FROM))
    return judgement if other.verdict is Verdict.HEALTHY else other


def _scale_of_learning(
    signal: str, results: Sequence[TrialResult], starts: Sequence[float], share: float
) -> Scale:
    """Put the faulty end where a share of what was learnt is missing, in each seed alike."""
    ends = [SIGNALS[signal](result) for result in results]
    learnt = sum(starts) / len(starts) - sum(ends) / len(ends)
    far = [end + share * learnt for end in ends]
    return scale_between(signal, results[0].num_steps, ends, far, is_measured=False)
