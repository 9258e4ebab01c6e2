"""What each operator does to the labels of its inputs' axes; one function a kind of operator."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from pocketdet.compress.channels.labels import Places
from pocketdet.compress.channels.tracing import BATCH, Axes, Product, Rule, Trace

Arguments = tuple[Any, ...]


def _argument(args: Arguments, place: int, default: Any) -> Any:
    return args[place] if len(args) > place else default


def convolution(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, weight, bias, transposed, groups = *args[:3], args[6], args[8]
    given, kernel = trace.of(features).places[1], trace.of(weight).places
    outputs, reads = (kernel[1], kernel[0]) if transposed else kernel[:2]
    if transposed and groups > 1:
        trace.fix([given, *kernel], "a grouped transposed convolution")
    elif groups > 1:
        outputs = _grouped(trace, given, kernel, int(groups))
    else:
        _join(trace, given, reads, "a convolution")
    if bias is not None:
        _join(trace, outputs, trace.of(bias).places[0], "a convolution's bias")
    places = prod((features if transposed else result).shape[2:])
    factor = places * prod(weight.shape[2:])
    _count(trace, factor * BATCH, weight.shape[:2], kernel[:2])
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
            _join(trace, features.places[1], trace.of(tensor).places[0], "a batch norm")
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
            _join(trace, channels, trace.of(tensor).places[0], "a group norm")
    if channels is not None:
        for group in channels.reshape(groups, -1):
            trace.labels.join_all(group)
    return [Axes(places=features.places)]


def product(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Matrix products; the last two arguments are the matrices, `addmm` has a bias before."""
    one, other = (trace.of(tensor) for tensor in args[-2:])
    _join(trace, one.places[-1], other.places[-2], "a matrix product")
    if not (one.is_zero or other.is_zero):
        trace.fix([one.places[-1]], "a matrix product of what is not zero")
    places = (*one.places[:-1], other.places[-1])
    shape = (*args[-2].shape, args[-1].shape[-1])
    _count(trace, 1, shape, (*one.places, other.places[-1]))
    outcome = Axes(places=places, is_zero=one.is_zero and other.is_zero)
    return outcome if len(args) == 2 else _elementwise(trace, [(args[0], None), (None, outcome)])


def linear(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, weight = trace.of(args[0]), trace.of(args[1])
    _join(trace, features.places[-1], weight.places[1], "a linear layer")
    bias = _argument(args, 2, None)
    if bias is not None:
        _join(trace, weight.places[0], trace.of(bias).places[0], "a linear layer's bias")
    _count(trace, prod(args[0].shape[:-1]), args[1].shape, weight.places)
    return Axes(places=(*features.places[:-1], weight.places[0]))


def sums(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Join the terms of a sum or difference: it is zero where all of them are."""
    return _elementwise(trace, [(value, None) for value in args[:2]])


def products(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Zero where one factor is that has all of the result's labels."""
    joined = _elementwise(trace, [(value, None) for value in args[:2]])
    factors = [trace.of(value) for value in args[:2] if isinstance(value, Tensor)]
    return Axes(
        places=joined.places, is_zero=any(f.is_zero and _covers(f, joined) for f in factors)
    )


def quotients(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    joined = _elementwise(trace, [(value, None) for value in args[:2]])
    above = trace.of(args[0])
    return Axes(places=joined.places, is_zero=above.is_zero and _covers(above, joined))


def prelu(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    return products(trace, args, result)


def keeps_zero(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Works on each value alone and leaves zero as it is."""
    return trace.of(args[0])


def moves_zero(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Works on each value alone; zero becomes something else."""
    return Axes(places=trace.of(args[0]).places, is_zero=False)


def spatial(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Pooling, resizing, padding: within each channel."""
    features = trace.of(args[0])
    first = result[0] if isinstance(result, tuple) else result
    same = [a == b for a, b in zip(args[0].shape, first.shape, strict=True)]
    trace.fix([p for p, kept in zip(features.places, same, strict=True) if not kept], "resizing")
    kept = tuple(p if s else None for p, s in zip(features.places, same, strict=True))
    return Axes(places=kept, is_zero=features.is_zero)


def total(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Take a sum over axes, over labelled ones only of what is zero there."""
    features = trace.of(args[0])
    axes = _axes(args[0], _argument(args, 1, None))
    if not features.is_zero:
        trace.fix([features.places[axis] for axis in axes], "a sum over channels")
    return _reduced(features, axes, keep=bool(_argument(args, 2, False)))


def mean(trace: Trace, args: Arguments, result: Any) -> Axes:
    """Take a mean, maximum or variance, which a missing channel would change."""
    features = trace.of(args[0])
    axes = _axes(args[0], _argument(args, 1, None))
    trace.fix([features.places[axis] for axis in axes], "a mean or maximum over channels")
    return _reduced(features, axes, keep=bool(_argument(args, 2, False)))


def softmax(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    trace.fix([features.places[args[1]]], "a softmax over channels")
    return Axes(places=features.places, is_zero=False)


def concatenation(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    parts = [(part, trace.of(part)) for part in args[0]]
    axis = _argument(args, 1, 0) % result.dim()
    places = list(_elementwise(trace, parts, without=axis).places)
    if any(own.places[axis] is not None for _, own in parts):
        pieces: list[Places] = []
        for part, own in parts:
            piece = own.places[axis]
            if piece is None:
                piece = trace.labels.new(part.shape[axis])
                trace.fix([piece], "a concatenation with what has no labels")
            pieces.append(piece)
        places[axis] = np.concatenate(pieces)
    return Axes(places=tuple(places), is_zero=all(own.is_zero for _, own in parts))


def stack(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    parts = [(part, trace.of(part)) for part in args[0]]
    axis = _argument(args, 1, 0) % result.dim()
    joined = _elementwise(trace, parts)
    places = [*joined.places[:axis], None, *joined.places[axis:]]
    return Axes(places=tuple(places), is_zero=joined.is_zero)


def part(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    axis = _argument(args, 1, 0) % args[0].dim()
    places, size = features.places[axis], args[0].shape[axis]
    if places is None or result.shape[axis] == size:
        return features
    first, last, step = _argument(args, 2, 0) or 0, _argument(args, 3, None), _argument(args, 4, 1)
    last = size if last is None else last
    first, last = (min(size, value % size if value < 0 else value) for value in (first, last))
    if step != 1:
        trace.fix([places], "a slice with steps")
    for bound in (first, last):
        if 0 < bound < size:
            trace.cut(places, bound)
    return _with(features, axis, _piece(trace, places[first:last:step]))


def _piece(trace: Trace, places: Places) -> Places | None:
    """Give what is cut out; a single channel stays, for it meets others by broadcasting."""
    if len(places) > 1:
        return places
    trace.fix([places], "a single channel is cut out")
    return None


def split(trace: Trace, args: Arguments, result: Sequence[Tensor]) -> list[Axes]:
    features = trace.of(args[0])
    axis = _argument(args, 2, 0) % args[0].dim()
    places = features.places[axis]
    outcome: list[Axes] = []
    first = 0
    for piece in result:
        last = first + piece.shape[axis]
        if places is not None and last < args[0].shape[axis]:
            trace.cut(places, last)
        own = None if places is None else _piece(trace, places[first:last])
        outcome.append(_with(features, axis, own))
        first = last
    return outcome


def one_place(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, axis = trace.of(args[0]), args[1] % args[0].dim()
    trace.fix([features.places[axis]], "a single place of an axis is read")
    places = features.places[:axis] + features.places[axis + 1 :]
    return Axes(places=places, is_zero=features.is_zero)


def permuted(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    places = tuple(features.places[axis] for axis in args[1])
    return Axes(places=places, is_zero=features.is_zero)


def swapped(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    one, other = args[1:3] if len(args) > 2 else (0, -1)
    places = list(features.places)
    if len(places) > 1:
        places[one], places[other] = places[other], places[one]
    return Axes(places=tuple(places), is_zero=features.is_zero)


def reshaped(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Keep an axis that has as many places, and as many values before it, as it had."""
    features = trace.of(args[0])
    before, after = list(args[0].shape), list(result.shape)
    places: list[Places | None] = [None] * len(after)
    for axis, own in enumerate(features.places):
        if own is None:
            continue
        found = [
            place
            for place, size in enumerate(after)
            if size == len(own) and prod(after[:place]) == prod(before[:axis])
        ]
        if found:
            places[found[0]] = own
        else:
            trace.fix([own], "channels are laid out anew")
    return Axes(places=tuple(places), is_zero=features.is_zero)


def expanded(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features = trace.of(args[0])
    missing = result.dim() - args[0].dim()
    return Axes(places=(*(None,) * missing, *features.places), is_zero=features.is_zero)


def pixel_shuffle(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    """Channels that become places of one channel stay together."""
    features = trace.of(args[0])
    channels = features.places[-3]
    if channels is not None:
        for group in channels.reshape(-1, args[1] ** 2):
            trace.labels.join_all(group)
        channels = channels[:: args[1] ** 2] if result.shape[-3] > 1 else None
        if channels is None:
            trace.fix(features.places, "channels become places")
    return _with(features, -3, channels)


def _elementwise(
    trace: Trace, operands: Sequence[tuple[Any, Axes | None]], *, without: int | None = None
) -> Axes:
    """Join the axes of operands that meet, aligned at their ends as broadcasting does."""
    known = [
        (axes or trace.of(tensor), None if tensor is None else tuple(tensor.shape))
        for tensor, axes in operands
        if axes is not None or isinstance(tensor, Tensor)
    ]
    plain = len(operands) - len(known)
    most = max(len(axes.places) for axes, _ in known)
    places: list[Places | None] = [None] * most
    for back in range(1, most + 1):
        if without is not None and most - back == without:
            continue
        here = [
            (a.places[-back], s[-back] if s else None) for a, s in known if len(a.places) >= back
        ]
        labelled = [own for own, _ in here if own is not None]
        if not labelled:
            continue
        places[-back] = labelled[0]
        for own in labelled[1:]:
            trace.labels.join(labelled[0], own)
        if any(own is None and size == len(labelled[0]) for own, size in here):
            trace.fix(labelled, "values that belong to no channel")
    joined = Axes(places=tuple(places))
    zero = not plain and all(axes.is_zero and _covers(axes, joined) for axes, _ in known)
    return Axes(places=joined.places, is_zero=zero)


def _covers(axes: Axes, joined: Axes) -> bool:
    """Say whether a tensor has labels wherever the result has."""
    own = (*(None,) * (len(joined.places) - len(axes.places)), *axes.places)
    return all(b is None or a is not None for a, b in zip(own, joined.places, strict=True))


def _join(trace: Trace, one: Places | None, other: Places | None, where: str) -> None:
    if one is None or other is None or len(one) != len(other):
        trace.fix([one, other], f"{where} of what has no labels")
    else:
        trace.labels.join(one, other)


def _count(
    trace: Trace, factor: int, sizes: Sequence[int], places: Sequence[Places | None]
) -> None:
    fixed = prod(size for size, own in zip(sizes, places, strict=True) if own is None)
    axes = tuple(own for own in places if own is not None)
    trace.products.append(Product(factor=factor * fixed, axes=axes))


def _with(axes: Axes, axis: int, places: Places | None) -> Axes:
    changed = list(axes.places)
    changed[axis] = places
    return Axes(places=tuple(changed), is_zero=axes.is_zero)


def _axes(tensor: Tensor, given: Any) -> list[int]:
    if given is None or given == []:
        return list(range(tensor.dim()))
    return [axis % tensor.dim() for axis in (given if isinstance(given, list) else [given])]


def _reduced(features: Axes, axes: Sequence[int], *, keep: bool) -> Axes:
    places = [None if n in axes else own for n, own in enumerate(features.places)]
    if not keep:
        places = [own for n, own in enumerate(places) if n not in axes]
    return Axes(places=tuple(places), is_zero=features.is_zero)


def _unsqueezed(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    features, axis = trace.of(args[0]), args[1] % result.dim()
    places = (*features.places[:axis], None, *features.places[axis:])
    return Axes(places=places, is_zero=features.is_zero)


def _nothing(trace: Trace, args: Arguments, result: Any) -> None:
    """Make something new from no values."""


def _rules(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_rules(convolution, "convolution"),
    **_rules(
        per_channel,
        "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training "
        "cudnn_batch_norm miopen_batch_norm",
    ),
    **_rules(layer_norm, "native_layer_norm"),
    **_rules(group_norm, "native_group_norm"),
    **_rules(product, "mm bmm addmm"),
    **_rules(linear, "linear"),
    **_rules(sums, "add sub"),
    **_rules(products, "mul"),
    **_rules(quotients, "div"),
    **_rules(prelu, "_prelu_kernel prelu"),
    **_rules(
        keeps_zero,
        "relu hardtanh leaky_relu silu hardswish gelu mish tanh abs neg sqrt square clone detach "
        "alias _to_copy contiguous dropout native_dropout zeros_like elu lift_fresh",
    ),
    **_rules(moves_zero, "sigmoid hardsigmoid exp log rsqrt reciprocal softplus"),
    **_rules(
        spatial,
        "avg_pool2d max_pool2d_with_indices _adaptive_avg_pool2d upsample_nearest2d "
        "_upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d constant_pad_nd "
        "replication_pad2d reflection_pad2d",
    ),
    **_rules(total, "sum"),
    **_rules(mean, "mean amax amin max min var std"),
    **_rules(softmax, "_softmax _log_softmax"),
    **_rules(concatenation, "cat"),
    **_rules(stack, "stack"),
    **_rules(part, "slice"),
    **_rules(split, "split_with_sizes split"),
    **_rules(one_place, "select"),
    **_rules(permuted, "permute"),
    **_rules(swapped, "transpose t"),
    **_rules(reshaped, "view _unsafe_view reshape squeeze"),
    **_rules(_unsqueezed, "unsqueeze"),
    **_rules(expanded, "expand"),
    **_rules(pixel_shuffle, "pixel_shuffle"),
    **_rules(_nothing, "arange zeros ones full empty empty_like scalar_tensor"),
}
"""By the operator's name; a trailing underscore (in place) is left out."""


def power(trace: Trace, args: Arguments, result: Tensor) -> Axes:
    exponent = args[1]
    is_positive = isinstance(exponent, int | float) and exponent > 0
    features = trace.of(args[0])
    return Axes(places=features.places, is_zero=features.is_zero and is_positive)


RULES["pow"] = power
