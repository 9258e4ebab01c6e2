"""Attention whose heads are scraps: tokens and features folded into each other.

## What it finds
What a linear layer made is followed, tagged by token and feature, into attention's products: each
matrix there must be a table of tokens by features. It reports matrices of queries and keys in which
rows of one head are different features of several tokens, and results whose rows, as the next layer
reads them, are one head's rows of several tokens in place of all heads' of one.

## Why it costs AP
A token no longer looks at all others, but at a few of its own pieces and its neighbours'; what it
gets back is put to other tokens. Every shape is right, and the network learns around it a little.

## Usual causes
- `q.view(b, heads, n, d)` of (b, n, heads·d), for `q.view(b, n, heads, d).transpose(1, 2)`.
- `out.reshape(b, n, c)` of (b, heads, n, d), without `transpose(1, 2)` before it.

## When it is not a fault
Windows, axes, blocks, features that look at features, all heads' queries laid into the rows of one
matrix (multi-query attention) and kernels that a place makes for itself are tables too, or have one
scrambled side only, and are left alone.
"""

from collections.abc import Iterator

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.token_axes import MixedRows, TokenAxes


def find_scrambled_heads(token_axes: TokenAxes) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for found in (*token_axes.mixed, *token_axes.joined):
        place = found.fold.where, str(found.fold.source)
        if place not in seen:
            seen.add(place)
            yield _fault(found, is_joined=found in token_axes.joined)


def _fault(found: MixedRows, *, is_joined: bool) -> Fault:
    fold, shape = found.fold, "×".join(map(str, found.fold.outputs[0].shape))
    before = "×".join(map(str, fold.inputs[0].shape))
    read = (
        f"`{found.op.name}` reads each row as one token's features, and in {found.share:.0%} of "
        "them they are one head's of several tokens"
        if is_joined
        else f"in {found.share:.0%} of the matrices that `{found.op.name}` reads, the rows of one "
        "head are different features of several tokens"
    )
    return Fault(
        where=fold.where or "",
        source=fold.source,
        evidence=f"`{fold.name}` makes {shape} of {before}: {read}.",
        measured={"share": found.share},
        at=fold.index,
    )


CHECK = Check(
    id="scrambled-head",
    summary="heads of an attention that are scraps of several tokens",
    stage=Stage.REGISTRATION,
    severity=Severity.ERROR,
    remedy="Split by `x.view(b, n, heads, d).transpose(1, 2)` and join by `x.transpose(1, 2)"
    ".reshape(b, n, heads * d)`.",
    find=find_scrambled_heads,
    explained_by=("scrambled-row",),
)
