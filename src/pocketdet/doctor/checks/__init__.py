"""Every check, listed by hand in the order of names: to add one, add a file and a line here."""

from pocketdet.doctor.check import Check
from pocketdet.doctor.checks import (
    batch_mixing,
    cancelled_gate,
    disagreeing_outputs,
    loss_broadcasting,
    misplaced_row,
    norm_over_one,
    overconfident_start,
    parameter_without_gradient,
    parting_from_reference,
    random_evaluation,
    scrambled_row,
    shifted_merge,
    softmax_over_one,
    squashed_gate,
    squashed_twice,
    unreached_parameter,
)

ALL_CHECKS: tuple[Check, ...] = (
    batch_mixing.CHECK,
    cancelled_gate.CHECK,
    disagreeing_outputs.CHECK,
    loss_broadcasting.CHECK,
    misplaced_row.CHECK,
    norm_over_one.CHECK,
    overconfident_start.CHECK,
    parameter_without_gradient.CHECK,
    parting_from_reference.CHECK,
    random_evaluation.CHECK,
    scrambled_row.CHECK,
    shifted_merge.CHECK,
    softmax_over_one.CHECK,
    squashed_gate.CHECK,
    squashed_twice.CHECK,
    unreached_parameter.CHECK,
)
