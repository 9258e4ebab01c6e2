"""A norm that takes the places of tokens for features.

## What it finds
What a layer made is followed, tagged by place and feature, into norms over three axes. It reports a
BatchNorm or GroupNorm whose axis 1, and a LayerNorm whose last axis, is the places.

## Why it costs AP
Every place of the image gets its own mean, spread, weight and bias, all features of it together:
what a feature says is weighed against other features, and the norm fits one size of image only.

## Usual causes
- `nn.BatchNorm1d(n)(tokens)` of (batch, tokens, features), without a transpose there and back.
- `nn.LayerNorm(n)(x.flatten(2))` of (batch, channels, places), without a transpose.

## When it is not a fault
BatchNorm of (batch, features, tokens) and LayerNorm of (batch, tokens, features) are left alone,
and so are norms over both sides of a map.
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
            evidence=f"`{op.name}` reads axis {found.axis} of "
            f"{'×'.join(map(str, op.inputs[0].shape))} as channels, and it is the {found.places} "
            f"places of what `{source.where or 'the model'}` made; its {found.features} features "
            f"are axis {3 - found.axis}.",
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
