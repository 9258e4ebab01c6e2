"""What checks may ask for beyond the patient's own fields, each found once and shared.

An observation is a function whose parameters name what it needs, as a check's do; its name here is
the name that others ask for. To add one, add a file and a line here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pocketdet.doctor.observations.answer_costs import answer_costs
from pocketdet.doctor.observations.answered_loss import answered_loss
from pocketdet.doctor.observations.answers import answers
from pocketdet.doctor.observations.answers_followed import answers_followed
from pocketdet.doctor.observations.batch import batch
from pocketdet.doctor.observations.beside_reference import beside_reference
from pocketdet.doctor.observations.box_values import box_values
from pocketdet.doctor.observations.cells import cells
from pocketdet.doctor.observations.constant_logits import constant_logits
from pocketdet.doctor.observations.edges import edges
from pocketdet.doctor.observations.first_norms import first_norms
from pocketdet.doctor.observations.gates import gates
from pocketdet.doctor.observations.labelled import labelled
from pocketdet.doctor.observations.learning import learning
from pocketdet.doctor.observations.lengths import lengths
from pocketdet.doctor.observations.linear_stacks import linear_stacks
from pocketdet.doctor.observations.loss_start import loss_start
from pocketdet.doctor.observations.misreadings import misreadings
from pocketdet.doctor.observations.mixing import mixing
from pocketdet.doctor.observations.mode_gaps import mode_gaps
from pocketdet.doctor.observations.optimizing import optimizing
from pocketdet.doctor.observations.other_sizes import other_sizes
from pocketdet.doctor.observations.overfitting import overfitting
from pocketdet.doctor.observations.patches import patches
from pocketdet.doctor.observations.places import places
from pocketdet.doctor.observations.repeated import repeated
from pocketdet.doctor.observations.repetitions import repetitions
from pocketdet.doctor.observations.round_trip import round_trip
from pocketdet.doctor.observations.row_fibres import row_fibres
from pocketdet.doctor.observations.row_places import row_places
from pocketdet.doctor.observations.rows_followed import rows_followed
from pocketdet.doctor.observations.second_answers import second_answers
from pocketdet.doctor.observations.settled import settled
from pocketdet.doctor.observations.shares import shares
from pocketdet.doctor.observations.signals import signals
from pocketdet.doctor.observations.statistics import statistics
from pocketdet.doctor.observations.summed_shares import summed_shares
from pocketdet.doctor.observations.sure_answers import sure_answers
from pocketdet.doctor.observations.token_axes import token_axes
from pocketdet.doctor.observations.traces import trace, training_trace
from pocketdet.doctor.observations.training_pass import training_pass
from pocketdet.doctor.observations.truths import truths
from pocketdet.doctor.observations.unregistered import unregistered

OBSERVATIONS: Mapping[str, Callable[..., Any]] = {
    "answer_costs": answer_costs,
    "answered_loss": answered_loss,
    "second_answers": second_answers,
    "sure_answers": sure_answers,
    "box_values": box_values,
    "truths": truths,
    "answers": answers,
    "answers_followed": answers_followed,
    "batch": batch,
    "cells": cells,
    "settled": settled,
    "token_axes": token_axes,
    "trace": trace,
    "training_trace": training_trace,
    "repeated": repeated,
    "misreadings": misreadings,
    "mixing": mixing,
    "mode_gaps": mode_gaps,
    "other_sizes": other_sizes,
    "gates": gates,
    "patches": patches,
    "places": places,
    "labelled": labelled,
    "round_trip": round_trip,
    "first_norms": first_norms,
    "row_fibres": row_fibres,
    "row_places": row_places,
    "rows_followed": rows_followed,
    "signals": signals,
    "summed_shares": summed_shares,
    "shares": shares,
    "beside_reference": beside_reference,
    "loss_start": loss_start,
    "constant_logits": constant_logits,
    "learning": learning,
    "unregistered": unregistered,
    "optimizing": optimizing,
    "edges": edges,
    "lengths": lengths,
    "linear_stacks": linear_stacks,
    "training_pass": training_pass,
    "repetitions": repetitions,
    "statistics": statistics,
    "overfitting": overfitting,
}
