"""The user's lines within a stage of the data's way, found by recording it."""

import torch
from torch import nn

from pocketdet.doctor.data_stage import StageFailed, stage, stage_source
from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.pipeline import DetectionPipeline
from pocketdet.doctor.trace import record

COUNTS = ("arange", "linspace", "range")
JOINS = ("stack", "cat", "meshgrid")


def line_of_places(pipeline: DetectionPipeline) -> SourceLine | None:
    """Give the line at which `encode` joins counted rows and columns to places.

    Where it counts none, as with priors that were made before, the line at which it begins.
    """
    one = pipeline.samples[0]
    boxes, labels = torch.as_tensor(one.boxes_xyxy), torch.as_tensor(one.labels)
    try:
        run = stage(pipeline, "encode")
        trace = record(nn.Module(), lambda: run(boxes.float().clone(), labels.long().clone()))
    except StageFailed:
        return stage_source(pipeline, "encode")
    counted = [value for op in trace.named(*COUNTS) for value in op.outputs]
    follows = trace.follows_from(counted)
    joins = [op for op in trace.named(*JOINS) if op.index in follows and len(op.inputs) > 1]
    first = next((op for op in joins if op.source is not None), None)
    return first.source if first is not None else stage_source(pipeline, "encode")
