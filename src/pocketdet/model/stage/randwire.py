"""A stage whose wiring was drawn by lot."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pocketdet.model.conv import ConvShape, StandardConv, plain_conv, pointwise_of
from pocketdet.model.layers import Layers
from pocketdet.model.stage.halving import check_stride
from pocketdet.model.stage.random_graph import DrawnGraph, Graph, WattsStrogatz


@dataclass(frozen=True, kw_only=True)
class RandWire:
    """A randomly wired stage (Xie et al. 2019, arXiv 1904.01569, section 3).

    - `graph`: `WattsStrogatz`, `ErdosRenyi` or `BarabasiAlbert` with its seed, in the paper's own
      numbers by default. It is drawn when the config is made and held as a `DrawnGraph`, so a
      saved config has the very edges and nothing is ever drawn again;
    - `channels`: of every node;
    - `stride`: of the nodes that read the stage's input; an odd map rounds up.

    A node sums its inputs, each times the sigmoid of a learned weight, then activation, separable
    3×3 convolution (depthwise, 1×1, nothing between), norm. A node without inputs reads the stage's
    input as it is. The output is the mean of the nodes that no other reads. The paper does not
    say where the weights start: here at 0, a factor of one half.
    """

    channels: int
    graph: Graph = WattsStrogatz()
    stride: int = 2

    def __post_init__(self) -> None:
        check_stride(self.stride)
        if self.channels < 1:
            raise ValueError(f"`channels` of a stage must be at least 1; got {self.channels}.")
        object.__setattr__(self, "graph", self.graph.build())

    def build(self, in_channels: int, layers: Layers) -> nn.Module:
        return _RandWire(in_channels, self, self.graph.build(), layers)


class _RandWire(nn.Module):
    def __init__(
        self, in_channels: int, choice: RandWire, graph: DrawnGraph, layers: Layers
    ) -> None:
        super().__init__()
        self.inputs = [graph.inputs_of(node) for node in range(graph.num_nodes)]
        self.outputs = graph.outputs
        self.nodes = nn.ModuleList()
        for read in self.inputs:
            shape = ConvShape(
                in_channels=choice.channels if read else in_channels,
                out_channels=choice.channels,
                kernel_size=3,
                stride=1 if read else choice.stride,
                linear=True,
            )
            self.nodes.append(_Node(len(read), shape, layers))

    def forward(self, features: Tensor) -> Tensor:
        results: list[Tensor] = []
        for node, read in zip(self.nodes, self.inputs, strict=True):
            results.append(node([results[other] for other in read] or [features]))
        return torch.stack([results[node] for node in self.outputs]).mean(dim=0)


class _Node(nn.Module):
    def __init__(self, num_inputs: int, shape: ConvShape, layers: Layers) -> None:
        super().__init__()
        depthwise = ConvShape(
            in_channels=shape.in_channels,
            out_channels=shape.in_channels,
            kernel_size=shape.kernel_size,
            stride=shape.stride,
            groups=shape.in_channels,
        )
        self.gather = _WeightedSum(num_inputs) if num_inputs else _Only()
        self.convolve = nn.Sequential(
            layers.activation.build(),
            plain_conv(depthwise, bias=False),
            *StandardConv().build(pointwise_of(shape), layers.norm, layers.activation),
        )

    def forward(self, inputs: list[Tensor]) -> Tensor:
        return self.convolve(self.gather(inputs))


class _WeightedSum(nn.Module):
    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_inputs))

    def forward(self, inputs: list[Tensor]) -> Tensor:
        weights = self.logits.sigmoid()
        total = inputs[0] * weights[0]
        for index in range(1, len(inputs)):
            total = total + inputs[index] * weights[index]
        return total


class _Only(nn.Module):
    """The stage's input, copied: several nodes read it, and an activation may work in place."""

    def forward(self, inputs: list[Tensor]) -> Tensor:
        return inputs[0].clone()
