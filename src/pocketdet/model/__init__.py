"""Detectors: their parts, the config that names them, and what joins them."""

from pocketdet.conventions import DecodeSettings
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
from pocketdet.model.attention import (
    CBAM,
    ECA,
    SE,
    CoordAtt,
    GlobalContext,
    NoAttention,
    NonLocal,
    PlacedAttention,
    SimAM,
)
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
from pocketdet.model.detector import Detector
from pocketdet.model.distance_coder import DistanceCoder
from pocketdet.model.extra import ExtraConvs
from pocketdet.model.foldable import Foldable
from pocketdet.model.head import (
    GFLHead,
    PeleeHead,
    PointPredictions,
    Predictions,
    RawOutputs,
    SSDLiteHead,
)
from pocketdet.model.layers import Layers
from pocketdet.model.neck import PAN, BiFPN, NoNeck, TopDown
from pocketdet.model.norm import BatchNorm, GroupNorm, L2Norm, LayerNorm, NoNorm
from pocketdet.model.peleenet import PeleeNet
from pocketdet.model.priors import PELEE_COCO_PRIORS, PELEE_VOC_PRIORS, PriorLevel
from pocketdet.model.scale import scaled
from pocketdet.model.stage import (
    BarabasiAlbert,
    CSPDense,
    DenseStage,
    DrawnGraph,
    ErdosRenyi,
    Ghost,
    InvertedResidual,
    RandWire,
    RepVGG,
    TwoWayDense,
    WattsStrogatz,
)
from pocketdet.model.stem import (
    ConvStem,
    FocusStem,
    HGStem,
    PatchStem,
    PeleeStem,
    PoolStem,
)
from pocketdet.model.upsample import (
    CARAFE,
    Bicubic,
    Bilinear,
    Nearest,
    PixelShuffle,
    TransposedConv,
)

__all__ = [
    "CARAFE",
    "CBAM",
    "ECA",
    "GELU",
    "PAN",
    "PELEE_COCO_PRIORS",
    "PELEE_VOC_PRIORS",
    "SE",
    "BarabasiAlbert",
    "BatchNorm",
    "BiFPN",
    "Bicubic",
    "Bilinear",
    "BoxCoder",
    "CSPDense",
    "ConvShape",
    "ConvStem",
    "CoordAtt",
    "DecodeSettings",
    "DenseStage",
    "Detector",
    "DetectorConfig",
    "DilatedConv",
    "DistanceCoder",
    "DrawnGraph",
    "ErdosRenyi",
    "ExtraConvs",
    "FocusStem",
    "Foldable",
    "GFLHead",
    "Ghost",
    "GhostConv",
    "GlobalContext",
    "GroupNorm",
    "GroupedConv",
    "HGStem",
    "HardSwish",
    "InvertedResidual",
    "L2Norm",
    "LayerNorm",
    "Layers",
    "LeakyReLU",
    "Mish",
    "Nearest",
    "NoAttention",
    "NoNeck",
    "NoNorm",
    "NonLocal",
    "PReLU",
    "PartialConv",
    "PatchStem",
    "PeleeHead",
    "PeleeNet",
    "PeleeStem",
    "PixelShuffle",
    "PlacedAttention",
    "PointPredictions",
    "PoolStem",
    "Predictions",
    "PriorLevel",
    "RandWire",
    "RawOutputs",
    "ReLU",
    "ReLU6",
    "RepVGG",
    "SSDLiteHead",
    "SeparableConv",
    "SiLU",
    "SimAM",
    "StandardConv",
    "TopDown",
    "TransposedConv",
    "TwoWayDense",
    "WattsStrogatz",
    "build",
    "scaled",
]
