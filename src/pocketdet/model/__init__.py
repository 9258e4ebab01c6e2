"""Detectors: their parts, the config that names them, and what joins them."""

from pocketdet.model.activation import ReLU, SiLU
from pocketdet.model.assemble import build
from pocketdet.model.attention import CBAM, NoAttention
from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.config import DetectorConfig
from pocketdet.model.decode import DecodeSettings
from pocketdet.model.detector import Detector
from pocketdet.model.extra import ExtraConvs
from pocketdet.model.head import PeleeHead, Predictions
from pocketdet.model.layers import Layers
from pocketdet.model.neck import NoNeck, TopDown
from pocketdet.model.norm import BatchNorm, NoNorm
from pocketdet.model.peleenet import PeleeNet
from pocketdet.model.priors import PELEE_COCO_PRIORS, PELEE_VOC_PRIORS, PriorLevel
from pocketdet.model.stage import TwoWayDense
from pocketdet.model.stem import PeleeStem
from pocketdet.model.upsample import Bilinear, Nearest

__all__ = [
    "CBAM",
    "PELEE_COCO_PRIORS",
    "PELEE_VOC_PRIORS",
    "BatchNorm",
    "Bilinear",
    "BoxCoder",
    "DecodeSettings",
    "Detector",
    "DetectorConfig",
    "ExtraConvs",
    "Layers",
    "Nearest",
    "NoAttention",
    "NoNeck",
    "NoNorm",
    "PeleeHead",
    "PeleeNet",
    "PeleeStem",
    "Predictions",
    "PriorLevel",
    "ReLU",
    "SiLU",
    "TopDown",
    "TwoWayDense",
    "build",
]
