"""What layers with weights, and matrix products, do to the labels of axes."""

from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from pocketdet.compress.channels.joining import Arguments, argument, count, elementwise, join
from pocketdet.compress.channels.labels import Places
from pocketdet.compress.channels.tracing import BATCH, Axes, Trace


def convolution(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, weight, bias, transposed, groups = *args[:3], args[6], args[8]
    given, kernel = trace.of(features).places[1], trace.of(weight).places
    outputs, reads = (kernel[1], kernel[0]) if transposed else kernel[:2]
    if transposed and groups > 1:
        trace.fix([given, *kernel], "a grouped transposed convolution")
    elif groups > 1:
        outputs = _grouped(trace, given, kernel, int(groups))
    else:
        join(trace, given, reads, "a convolution")
    if bias is not None:
        join(trace, outputs, trace.of(bias).places[0], "a convolution's bias")
    places = prod((features if transposed else result).shape[2:])
    factor = places * prod(weight.shape[2:])
    count(trace, factor * BATCH, weight.shape[:2], kernel[:2])
    return Axes(places=(None, outputs, *(None,) * (result.dim() - 2)))


def _grouped(
    trace: Trace, given: Places | None, kernel: tuple[Places | None, ...], groups: int
) -> Places | None:
    """Keep groups equal: one channel each goes with its kernels, several go by their position."""
    outputs, reads = kernel[0], kernel[1]
    if outputs is None or given is None:
        trace.fix([given, outputs], "a grouped convolution of what has no labels")
    elif reads is None:
        repeats = len(outputs) // len(given)
        trace.labels.join(np.repeat(given, repeats), outputs)
    else:
        for group in given.reshape(groups, -1):
            trace.labels.join(group, reads)
        together = outputs.reshape(groups, -1)
        for group in together[1:]:
            trace.labels.join(together[0], group)
    return outputs


def per_channel(trace: Trace, args: Arguments, result: Any) -> list[Axes]:
    """Batch norm: a scale, a shift and statistics for each channel."""
    features = trace.of(args[0])
    for tensor in args[1:5]:
        if isinstance(tensor, Tensor):
            join(trace, features.places[1], trace.of(tensor).places[0], "a batch norm")
    return [Axes(places=features.places)]


def layer_norm(trace: Trace, args: Arguments, result: Any) -> list[Axes]:
    features, over = trace.of(args[0]), len(args[1])
    trace.fix(features.places[-over:], "a norm over all channels")
    for tensor in args[2:4]:
        if isinstance(tensor, Tensor):
            trace.fix(trace.of(tensor).places, "a norm over all channels")
    return [Axes(places=features.places, is_zero=False)]


def group_norm(trace: Trace, args: Arguments, result: Any) -> list[Axes]:
    """Whole groups may go, since each is normalised by itself."""
    features = trace.of(args[0])
    channels, groups = features.places[1], args[6]
    for tensor in args[1:3]:
        if isinstance(tensor, Tensor):
            join(trace, channels, trace.of(tensor).places[0], "a group norm")
    if channels is not None:
        for group in channels.reshape(groups, -1):
            trace.labels.join_all(group)
    return [Axes(places=features.places)]


def product(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Matrix products; the last two arguments are the matrices, `addmm` has a bias before."""
    one, other = (trace.of(tensor) for tensor in args[-2:])
    join(trace, one.places[-1], other.places[-2], "a matrix product")
    if not (one.is_zero or other.is_zero):
        trace.fix([one.places[-1]], "a matrix product of what is not zero")
    places = (*one.places[:-1], other.places[-1])
    shape = (*args[-2].shape, args[-1].shape[-1])
    count(trace, 1, shape, (*one.places, other.places[-1]))
    outcome = Axes(places=places, is_zero=one.is_zero and other.is_zero)
    return outcome if len(args) == 2 else elementwise(trace, [(args[0], None), (None, outcome)])


def linear(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, weight = trace.of(args[0]), trace.of(args[1])
    join(trace, features.places[-1], weight.places[1], "a linear layer")
    bias = argument(args, 2, None)
    if bias is not None:
        join(trace, weight.places[0], trace.of(bias).places[0], "a linear layer's bias")
    count(trace, prod(args[0].shape[:-1]), args[1].shape, weight.places)
    return Axes(places=(*features.places[:-1], weight.places[0]))
