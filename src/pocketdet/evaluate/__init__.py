"""Evaluation: average precision, running a detector over data, and pictures of what it found."""

from pocketdet.evaluate.evaluation import ClassResult, Evaluation, PrecisionCurves
from pocketdet.evaluate.run import RunSettings, evaluate_detector, run_detector
from pocketdet.evaluate.score import evaluate_detections

__all__ = [
    "ClassResult",
    "Evaluation",
    "PrecisionCurves",
    "RunSettings",
    "evaluate_detections",
    "evaluate_detector",
    "run_detector",
]
