"""The stages of the backbone: from one map size to the next. One stage a file."""

from pocketdet.model.stage.csp_dense import CSPDense
from pocketdet.model.stage.dense import DenseStage
from pocketdet.model.stage.ghost import Ghost
from pocketdet.model.stage.halving import check_stride, mean_pool
from pocketdet.model.stage.inverted_residual import InvertedResidual
from pocketdet.model.stage.protocol import Stage
from pocketdet.model.stage.random_graph import (
    GRAPHS,
    BarabasiAlbert,
    DrawnGraph,
    ErdosRenyi,
    Graph,
    WattsStrogatz,
)
from pocketdet.model.stage.randwire import RandWire
from pocketdet.model.stage.repvgg import RepVGG
from pocketdet.model.stage.two_way_dense import TwoWayDense, bottleneck_channels

STAGES = (TwoWayDense, DenseStage, CSPDense, InvertedResidual, Ghost, RepVGG, RandWire)

__all__ = [
    "GRAPHS",
    "STAGES",
    "BarabasiAlbert",
    "CSPDense",
    "DenseStage",
    "DrawnGraph",
    "ErdosRenyi",
    "Ghost",
    "Graph",
    "InvertedResidual",
    "RandWire",
    "RepVGG",
    "Stage",
    "TwoWayDense",
    "WattsStrogatz",
    "bottleneck_channels",
    "check_stride",
    "mean_pool",
]
