"""What short trainings are compared by: numbers of which larger is worse."""

from collections.abc import Callable, Mapping
from math import isfinite, log
from statistics import mean

from pocketdet.trial import TrialResult

LAST_SHARE = 4
"""The training loss is that of the last quarter of the steps, on equal batches."""

TRAINING, EVALUATION, SCORE = "training loss", "log of the loss in evaluation mode", "missing AP50"


def training_loss(result: TrialResult) -> float:
    rows = [row["loss"] for row in result.history]
    last = rows[-max(1, len(rows) // LAST_SHARE) :]
    return mean(last) if last and result.outcome == "trained" else float("inf")


def evaluation_loss(result: TrialResult) -> float:
    """Give its natural logarithm: with running statistics of few steps it can be hundreds."""
    return log(result.held_out_loss) if result.held_out_loss > 0 else float("-inf")


def missing_ap50(result: TrialResult) -> float:
    """Give 1 - AP50, and 1 where there was nothing to score."""
    return 1 - result.ap50 if isfinite(result.ap50) else 1.0


Signal = Callable[[TrialResult], float]

SIGNALS: Mapping[str, Signal] = {
    TRAINING: training_loss,
    EVALUATION: evaluation_loss,
    SCORE: missing_ap50,
}
"""By name. Losses can be compared only between networks that predict the same."""
