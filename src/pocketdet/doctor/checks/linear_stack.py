"""Layers that follow each other without a non-linearity between.

## What it finds
A convolution or linear layer whose only reader is another one, with nothing but normalisations,
moves and constant factors between, so that both together are one affine map that one layer could
be; and nothing that explains it.

## Why it costs AP
The second layer adds cost and no depth: the network can express no more than with one of them.

## Usual causes
- A ReLU that is created in `__init__` and not called, or left out in one block.
- A block copied from a design that activates at another place.

## When it is not a fault
Linear bottlenecks, which are narrower between than at both ends; depthwise and other grouped
convolutions, separable kernels, transposed convolutions; the lateral and smoothing layers of a
pyramid; a predicting layer behind a 1×1 projection; branches that are added. All of these are left
alone.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.linear_stacks import LinearStack


def find_linear_stacks(linear_stacks: tuple[LinearStack, ...]) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for stack in linear_stacks:
        first, second = stack.first, stack.second
        if stack.explanation is not None or (second.where, str(second.source)) in seen:
            continue
        seen.add((second.where, str(second.source)))
        before, between, after = stack.widths
        yield Fault(
            where=second.where or "",
            source=second.source,
            evidence=f"`{first.where or 'the model'}` ({before} to {between} channels) and this "
            f"layer ({between} to {after}) have nothing but affine steps between them: together "
            "they are one affine map, which one layer could be.",
            measured={"first": first.where, "widths": list(stack.widths)},
            at=second.index,
        )


CHECK = Check(
    id="linear-stack",
    summary="layers without a non-linearity between, which one layer could replace",
    stage=Stage.REACHABILITY,
    severity=Severity.WARNING,
    remedy="Put the activation between them, or take one of the layers out.",
    find=find_linear_stacks,
)
