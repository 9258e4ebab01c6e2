"""One short training among several that are to be compared: paired, cached, resumable."""

from pocketdet.trial.data import TrialData, open_trial_data
from pocketdet.trial.result import TrialResult
from pocketdet.trial.run import run_trial
from pocketdet.trial.side_by_side import Job, SideBySide
from pocketdet.trial.trial import Steps, Trial

__all__ = [
    "Job",
    "SideBySide",
    "Steps",
    "Trial",
    "TrialData",
    "TrialResult",
    "open_trial_data",
    "run_trial",
]
