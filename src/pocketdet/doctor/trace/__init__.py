"""The recorded pass: every operator with its tensors, its module and the user's line."""

from pocketdet.doctor.trace.call import Call
from pocketdet.doctor.trace.graph import Op, Ref, Trace, Value
from pocketdet.doctor.trace.record import record
from pocketdet.doctor.trace.replay import (
    Run,
    is_drawn_or_chosen,
    lockstep,
    output_difference,
    replay,
)

__all__ = [
    "Call",
    "Op",
    "Ref",
    "Run",
    "Trace",
    "Value",
    "is_drawn_or_chosen",
    "lockstep",
    "output_difference",
    "record",
    "replay",
]
