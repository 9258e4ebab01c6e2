"""The conventions that silent faults come from, each in one place.

Box formats, the class list, the input contract, and what a sample and a detection are. Data,
model, training, evaluation and export all take them from here; nothing here knows of those.
What is made of tensors is imported when first used: exported files run without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pocketdet.conventions.class_list import ClassList
from pocketdet.conventions.decode_settings import DecodeSettings
from pocketdet.conventions.image_decoding import UnreadableImage
from pocketdet.conventions.input_contract import InputContract, Placement

if TYPE_CHECKING:
    from pocketdet.conventions.boxes import (
        clip_boxes,
        cxcywh_to_xyxy,
        pairwise_iou,
        xywh_to_xyxy,
        xyxy_to_cxcywh,
        xyxy_to_xywh,
    )
    from pocketdet.conventions.detections import Detections
    from pocketdet.conventions.image_file import ImageFile
    from pocketdet.conventions.sample import Sample

__all__ = [
    "ClassList",
    "DecodeSettings",
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

_OF_TENSORS = {"Detections": "detections", "ImageFile": "image_file", "Sample": "sample"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module `pocketdet.conventions` has no attribute `{name}`")
    return getattr(import_module(f"{__name__}.{_OF_TENSORS.get(name, 'boxes')}"), name)
