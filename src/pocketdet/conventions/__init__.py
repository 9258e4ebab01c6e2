"""The conventions that silent faults come from, each in one place.

Box formats, the class list, the input contract, and what a sample and a detection are. Data,
model, training, evaluation and export all take them from here; nothing here knows of those.
"""

from pocketdet.conventions.boxes import (
    clip_boxes,
    cxcywh_to_xyxy,
    pairwise_iou,
    xywh_to_xyxy,
    xyxy_to_cxcywh,
    xyxy_to_xywh,
)
from pocketdet.conventions.class_list import ClassList
from pocketdet.conventions.detections import Detections
from pocketdet.conventions.image_file import ImageFile, UnreadableImage
from pocketdet.conventions.input_contract import InputContract, Placement
from pocketdet.conventions.sample import Sample

__all__ = [
    "ClassList",
    "Detections",
    "ImageFile",
    "InputContract",
    "Placement",
    "Sample",
    "UnreadableImage",
    "clip_boxes",
    "cxcywh_to_xyxy",
    "pairwise_iou",
    "xywh_to_xyxy",
    "xyxy_to_cxcywh",
    "xyxy_to_xywh",
]
