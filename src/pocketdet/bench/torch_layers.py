"""The layers of a torch network, as one pass of it runs them."""

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor, nn

from pocketdet.bench.layer_cost import LayerCost
from pocketdet.doctor.trace import Op, record
from pocketdet.model.evaluation_mode import evaluation_mode

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
MOVES = frozenset({"max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "mean"})


@torch.no_grad()
def torch_layers(network: nn.Module, inputs: Tensor) -> tuple[LayerCost, ...]:
    """Run a network once, and give what each of its layers costs for this input."""
    with evaluation_mode(network):
        trace = record(network, lambda: network(inputs), given=inputs)
    return tuple(_layers(trace.forward_ops))


def _layers(ops: list[Op]) -> Iterator[LayerCost]:
    for op in ops:
        if op.name == "convolution":
            yield _layer(op, _convolution_macs(op))
        elif op.name in PRODUCTS:
            first = op.inputs[-2]
            yield _layer(op, op.outputs[0].numel * first.shape[-1])
        elif op.name in MOVES or op.name.startswith("upsample_") or "_upsample" in op.name:
            yield _layer(op, 0)


def _convolution_macs(op: Op) -> int:
    given, weight = op.inputs[0], op.inputs[1]
    each = prod(weight.shape[1:])
    transposed = bool(op.argument("transposed"))
    places = given.numel if transposed else op.outputs[0].numel
    return places * each


def _layer(op: Op, macs: int) -> LayerCost:
    learned = [value for value in op.inputs if value.kind in ("parameter", "buffer", "constant")]
    maps = [value for value in op.inputs if value not in learned]
    return LayerCost(
        name=op.where or op.name,
        kind=op.name.removesuffix("_with_indices").strip("_"),
        shape=op.outputs[0].shape,
        macs=macs,
        weights=sum(value.numel for value in learned),
        activations=sum(value.numel for value in (*maps, op.outputs[0])),
    )
