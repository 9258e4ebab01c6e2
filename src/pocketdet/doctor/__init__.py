"""The doctor: say in seconds whether a network is sound, and if not which line.

    from pocketdet.doctor import examine

    report = examine(model, torch.rand(2, 3, 320, 320), training_loss=loss)
    print(report)

It imports torch only, and nothing of ours: any `nn.Module` can be a patient.
"""

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.checks import ALL_CHECKS
from pocketdet.doctor.examine import examine
from pocketdet.doctor.finding import Fault, Finding, Severity
from pocketdet.doctor.pipeline import DetectionPipeline, Detections, Sample
from pocketdet.doctor.report import Outcome, Report, Result

__all__ = [
    "ALL_CHECKS",
    "Check",
    "DetectionPipeline",
    "Detections",
    "Fault",
    "Finding",
    "Outcome",
    "Report",
    "Result",
    "Sample",
    "Severity",
    "Stage",
    "examine",
]
