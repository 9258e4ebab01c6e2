"""What turns levels into class scores and boxes: one file a head."""

from pocketdet.model.head.gfl import GFLHead
from pocketdet.model.head.interface import BoxCode, Coverage, Head, LevelShape
from pocketdet.model.head.pelee import PeleeHead
from pocketdet.model.head.raw_outputs import PointPredictions, Predictions, RawOutputs
from pocketdet.model.head.ssdlite import SSDLiteHead

HEADS = (PeleeHead, SSDLiteHead, GFLHead)

__all__ = [
    "HEADS",
    "BoxCode",
    "Coverage",
    "GFLHead",
    "Head",
    "LevelShape",
    "PeleeHead",
    "PointPredictions",
    "Predictions",
    "RawOutputs",
    "SSDLiteHead",
]
