"""A BatchNorm or GroupNorm that takes the places of tokens for channels.

## What it finds
What a layer made is followed, tagged by place and feature, into BatchNorm and GroupNorm over three
axes: axis 1 must be the features. It reports norms in which axis 1 is the places.

## Why it costs AP
Every place of the image gets its own mean, spread, weight and bias, all features of it together:
what a feature says is weighed against other features, and the norm fits one size of image only.

## Usual causes
- `nn.BatchNorm1d(n)(tokens)` of (batch, tokens, features), without a transpose there and back.

## When it is not a fault
LayerNorm, which norms the last axis, and norms of (batch, features, tokens) are left alone.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.token_axes import TokenAxes


def find_normed_positions(token_axes: TokenAxes) -> Iterator[Fault]:
    for found in token_axes.normed:
        op, source = found.op, found.source
        yield Fault(
            where=op.where or "",
            source=op.source,
            evidence=f"`{op.name}` reads axis 1 of {'×'.join(map(str, op.inputs[0].shape))} as "
            f"channels, and it is the {found.places} places of what `{source.where or 'the model'}`"
            f" made; its {found.features} features are the last axis.",
            measured={"places": found.places, "features": found.features},
            at=op.index,
        )


CHECK = Check(
    id="normed-position",
    summary="a norm that takes places for channels",
    stage=Stage.AXES,
    severity=Severity.WARNING,
    remedy="Put the features second for the norm, `norm(x.transpose(1, 2)).transpose(1, 2)`, or "
    "use LayerNorm.",
    find=find_normed_positions,
)
