"""Compression: steps that make a detector smaller or faster, and say what that cost."""

from pocketdet.compress.catalogue import STEPS, steps_from_data, steps_to_data
from pocketdet.compress.fine_tuning import FineTuning
from pocketdet.compress.run import CompressionRequest, resume_compression, run_compression
from pocketdet.compress.step import Step, StepResult
from pocketdet.compress.workbench import Workbench

__all__ = [
    "STEPS",
    "CompressionRequest",
    "FineTuning",
    "Step",
    "StepResult",
    "Workbench",
    "resume_compression",
    "run_compression",
    "steps_from_data",
    "steps_to_data",
]
