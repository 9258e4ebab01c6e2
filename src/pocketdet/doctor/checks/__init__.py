"""Every check, listed by hand in the order of names: to add one, add a file and a line here."""

from pocketdet.doctor.check import Check
from pocketdet.doctor.checks import (
    batch_mixing,
    cancelled_gate,
    random_evaluation,
    softmax_over_one,
)

ALL_CHECKS: tuple[Check, ...] = (
    batch_mixing.CHECK,
    cancelled_gate.CHECK,
    random_evaluation.CHECK,
    softmax_over_one.CHECK,
)
