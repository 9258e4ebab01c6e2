"""A tensor that is used as a weight, and is no parameter.

## What it finds
Tensors with `requires_grad` that take part in the pass and that `parameters()` does not give: held
by a plain attribute, or made anew in every forward pass; and plain tensors that look like weights
at their start: random convolution kernels and matrices, factors that are all 1, addends all 0.

## Why it costs AP
No optimizer made from `parameters()` trains it, `state_dict()` does not save it, and one that is
drawn in `forward` is noise in every pass.

## Usual causes
- `self.gamma = torch.ones(c, requires_grad=True)` in place of `nn.Parameter(...)`.
- `self.scale = nn.Parameter(...) * 0.1`: the result of a computation is no parameter.
- Parameters in a plain list in place of `nn.ParameterList`.
- `nn.Parameter(...)` or `nn.Conv2d(...)` made inside of `forward`.

## When it is not a fault
Constants: anchors, a mean and a scale of the input, a fixed filter (Sobel, blur), tables of sines.
They have no `requires_grad` and do not look random, and the check is silent. A fixed random
projection on purpose belongs in a buffer, which is silent as well.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Optimizer

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.unregistered import LooseTensor, Unregistered

LEAST_VALUES = 16  # fewer say nothing about being random
LEAST_CHANNELS = 4  # three may be the channels of an image
MOST_CORRELATION = 0.3  # of neighbours; smooth tables have more
MOST_MEAN = 0.5  # of the spread; random weights are drawn around 0
KERNEL_READERS = ("convolution", "mm", "addmm", "bmm", "linear", "baddbmm")


def find_unregistered_weights(
    unregistered: Unregistered, optimizer: Optimizer | None = None
) -> Iterator[Fault]:
    groups = optimizer.param_groups if optimizer is not None else []
    optimized = [p for group in groups for p in group["params"]]
    for loose in unregistered.tensors:
        op, shape = loose.op, "×".join(map(str, loose.value.shape)) or "scalar"
        if loose.is_trainable:
            if any(_equal(loose.tensor, parameter) for parameter in optimized):
                continue
            held = (
                f"`{loose.name}` is a {shape} tensor with `requires_grad`, read by `{op.name}`, "
                "and no registered parameter: no optimizer made from `parameters()` trains it."
                if loose.name
                else f"`{op.name}` reads a {shape} tensor with `requires_grad` that no module "
                "holds: it is made outside of the model's parameters, and never trained."
            )
            severity = None
        elif reason := _looks_like_a_weight(loose):
            held = f"`{loose.name}` is a plain {shape} tensor, {reason}, and is never trained."
            severity = Severity.WARNING
        else:
            continue
        owner = loose.name.rpartition(".")[0] if loose.name else (op.where or "")
        yield Fault(
            where=owner,
            source=loose.source,
            evidence=held,
            measured={"shape": list(loose.value.shape)},
            severity=severity,
            at=op.index,
        )


def _equal(tensor: Tensor | None, parameter: Tensor) -> bool:
    return tensor is not None and tensor.shape == parameter.shape and torch.equal(tensor, parameter)


def _looks_like_a_weight(loose: LooseTensor) -> str:
    tensor, name = loose.tensor, loose.op.name.rstrip("_")
    if tensor is None or tensor.numel() < LEAST_CHANNELS:
        return ""
    is_vector = max(tensor.shape, default=1) == tensor.numel()
    if is_vector and name == "mul" and bool((tensor == 1).all()):
        return "all 1, which multiplies features"
    if is_vector and name == "add" and not bool(tensor.any()):
        return "all 0, which is added to features"
    if name in KERNEL_READERS and tensor.ndim > 1 and looks_random(tensor):
        return f"random, which `{name}` takes as a weight"
    return ""


def looks_random(tensor: Tensor) -> bool:
    """Say whether values are many, around zero, and unlike their neighbours."""
    flat = tensor.detach().double().flatten()
    if flat.numel() < LEAST_VALUES or len(flat.unique()) < 0.9 * flat.numel():
        return False
    spread = float(flat.std())
    if not spread or abs(float(flat.mean())) > MOST_MEAN * spread:
        return False
    pair = torch.stack([flat[:-1], flat[1:]])
    is_orthogonal = tensor.ndim == 2 and _is_orthogonal(tensor.detach().double())
    return abs(float(torch.corrcoef(pair)[0, 1])) < MOST_CORRELATION and not is_orthogonal


def _is_orthogonal(matrix: Tensor) -> bool:
    """Say whether it is a basis, such as that of the cosine transform."""
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    product = matrix @ matrix.T
    rest = product - torch.diag(product.diagonal())
    return float(rest.abs().max()) < 1e-3 * float(product.diagonal().abs().max())


CHECK = Check(
    id="unregistered-weight",
    summary="tensors used as weights that are no parameters",
    stage=Stage.REACHABILITY,
    severity=Severity.ERROR,
    remedy="Wrap it in `nn.Parameter` in `__init__` (lists in `nn.ParameterList`), as the last "
    "step of making it; a constant belongs in `register_buffer`.",
    find=find_unregistered_weights,
)
