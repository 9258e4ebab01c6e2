"""Which rule says what an operator does to the labels of its inputs' axes."""

from pocketdet.compress.channels.layer_rules import (
    convolution,
    group_norm,
    layer_norm,
    linear,
    per_channel,
    product,
)
from pocketdet.compress.channels.layout_rules import (
    concatenation,
    expanded,
    nothing,
    one_place,
    part,
    permuted,
    pixel_shuffle,
    reshaped,
    split,
    stack,
    swapped,
    unsqueezed,
)
from pocketdet.compress.channels.tracing import Rule
from pocketdet.compress.channels.value_rules import (
    keeps_zero,
    mean,
    moves_zero,
    power,
    products,
    quotients,
    softmax,
    spatial,
    sums,
    total,
)


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
    **_rules(products, "mul _prelu_kernel prelu"),
    **_rules(quotients, "div"),
    **_rules(power, "pow"),
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
    **_rules(unsqueezed, "unsqueeze"),
    **_rules(expanded, "expand"),
    **_rules(pixel_shuffle, "pixel_shuffle"),
    **_rules(nothing, "arange zeros ones full empty empty_like scalar_tensor"),
}
"""By the operator's name; a trailing underscore (in place) is left out."""
