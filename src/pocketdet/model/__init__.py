"""Detectors: their parts, the config that names them, and what joins them."""

from pocketdet.model.activation import (
    GELU,
    HardSwish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    SiLU,
)
from pocketdet.model.assemble import build
from pocketdet.model.attention import CBAM, NoAttention
from pocketdet.model.box_coder import BoxCoder
from pocketdet.model.config import DetectorConfig
from pocketdet.model.conv import (
    ConvShape,
    DilatedConv,
    GhostConv,
    GroupedConv,
    PartialConv,
    SeparableConv,
    StandardConv,
)
from pocketdet.model.decode import DecodeSettings
from pocketdet.model.detector import Detector
from pocketdet.model.extra import ExtraConvs
from pocketdet.model.head import PeleeHead, Predictions
from pocketdet.model.layers import Layers
from pocketdet.model.neck import NoNeck, TopDown
from pocketdet.model.norm import BatchNorm, GroupNorm, L2Norm, LayerNorm, NoNorm
from pocketdet.model.peleenet import PeleeNet
from pocketdet.model.priors import PELEE_COCO_PRIORS, PELEE_VOC_PRIORS, PriorLevel
from pocketdet.model.stage import TwoWayDense
from pocketdet.model.stem import (
    ConvStem,
    FocusStem,
    HGStem,
    PatchStem,
    PeleeStem,
    PoolStem,
)
from pocketdet.model.upsample import Bilinear, Nearest

__all__ = [
    "CBAM",
    "GELU",
    "PELEE_COCO_PRIORS",
    "PELEE_VOC_PRIORS",
    "BatchNorm",
    "Bilinear",
    "BoxCoder",
    "ConvShape",
    "ConvStem",
    "DecodeSettings",
    "Detector",
    "DetectorConfig",
    "DilatedConv",
    "ExtraConvs",
    "FocusStem",
    "GhostConv",
    "GroupNorm",
    "GroupedConv",
    "HGStem",
    "HardSwish",
    "L2Norm",
    "LayerNorm",
    "Layers",
    "LeakyReLU",
    "Mish",
    "Nearest",
    "NoAttention",
    "NoNeck",
    "NoNorm",
    "PReLU",
    "PartialConv",
    "PatchStem",
    "PeleeHead",
    "PeleeNet",
    "PeleeStem",
    "PoolStem",
    "Predictions",
    "PriorLevel",
    "ReLU",
    "ReLU6",
    "SeparableConv",
    "SiLU",
    "StandardConv",
    "TopDown",
    "TwoWayDense",
    "build",
]
