"""Runs one check of the data's way on the small pipeline."""

from small_pipeline import priors_xyxy
import torch
from torch import nn

from pocketdet.doctor import DetectionPipeline, Finding, examine
from pocketdet.doctor.report import Result


def result_of(check: str, pipeline: DetectionPipeline, *, boxes: object = None) -> Result:
    report = examine(
        nn.Conv2d(3, 4, 3),
        torch.rand(2, 3, 16, 16),
        pipeline=pipeline,
        row_boxes=priors_xyxy() if boxes is None else boxes,  # type: ignore[arg-type]
        only=[check],
    )
    return report.results[0]


def findings_of(check: str, pipeline: DetectionPipeline) -> list[Finding]:
    result = result_of(check, pipeline)
    assert result.outcome in ("clear", "found"), result.reason
    return list(result.findings)
