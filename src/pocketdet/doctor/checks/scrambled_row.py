"""Rows made of a map by `view` without `permute`: each row is a piece of several places.

## What it finds
The values of every convolution are followed, tagged by channel and place, through everything that
only moves them, up to an output, or to a linear layer, a softmax or a layer norm. Where an entry
of a row there is not another channel but another place of the map, a row is a scrap: a few
neighbouring places of one channel, or the end of one channel and the beginning of the next. And
the way back: tokens that a linear layer made, folded into a map whose channels, as a convolution
reads them, are features of several tokens.

## Why it costs AP
The four numbers of a box come from four different places, or a score of class 0 from here and of
class 1 from there. The shapes are right, and a network can learn around it a little.

## Usual causes
- `x.view(b, -1, k)` of (b, anchors·k, h, w), without `permute(0, 2, 3, 1)` before it.
- `x.view(b, h * w, c)` of (b, c, h, w) where `flatten(2).transpose(1, 2)` is meant.
- `tokens.reshape(b, c, h, w)` of (b, h * w, c), without `transpose(1, 2)` before it.
- A port from channels-last code, in which the same reshape is right.

## When it is not a fault
Rows over all places of one channel (mixing of tokens), whole lines or columns, blocks of places
with all their channels (patches, space-to-depth, windows) are told apart and left alone. A fold
that is undone before anything reads rows is left alone too.
"""

from collections.abc import Iterator

from torch import Tensor

from pocketdet.doctor.check import Check, Stage
from pocketdet.doctor.finding import Fault, Severity
from pocketdet.doctor.observations.row_fibres import LINES, Fibres

MOST_ROWS = 4096  # looked at, evenly spread
LEAST_SHARE = 0.5  # of the rows that are scraps


def find_scrambled_rows(row_fibres: tuple[Fibres, ...]) -> Iterator[Fault]:
    seen: set[tuple[str | None, str]] = set()
    for fibres in row_fibres:
        share, row = _scraps(fibres)
        where = fibres.source.where, str(fibres.fold.source)
        if share >= LEAST_SHARE and where not in seen:
            seen.add(where)
            is_map = fibres.source.name in LINES
            yield _map_fault(fibres, share) if is_map else _fault(fibres, share, row)


def _scraps(fibres: Fibres) -> tuple[float, int]:
    """Give the share of rows that are scraps, and the number of one of them."""
    if fibres.place.ndim < 2 or fibres.place.shape[-1] < 2 or fibres.place.shape[-2] < 2:
        return 0.0, 0
    if fibres.source.name not in LINES and not _rows_mix(fibres):
        return 0.0, 0
    entries = fibres.place.shape[-1]
    place, channel = fibres.place.reshape(-1, entries), fibres.channel.reshape(-1, entries)
    step = max(1, len(place) // MOST_ROWS)
    several = (place[::step] != place[::step, :1]).any(1).nonzero()[:, 0] * step
    found = [n for n in several.tolist() if _is_scrap(fibres, place[n], channel[n])]
    return len(found) / len(place[::step]), found[len(found) // 2] if found else 0


def _rows_mix(fibres: Fibres) -> bool:
    """Say whether rows run over channels and over places: neither is the row axis alone."""
    first = tuple(0 for _ in range(fibres.place.ndim - 2))
    channel, place = fibres.channel[first][:, 0], fibres.place[first][:, 0]
    return len(channel.unique()) > 1 and len(place.unique()) > 1


def _is_scrap(fibres: Fibres, place: Tensor, channel: Tensor) -> bool:
    num_places, num_channels = len(place.unique()), len(channel.unique())
    is_whole = num_channels == fibres.num_channels or num_places == 1
    if num_places * num_channels == len(place) and num_channels > 1:
        # A block of places with the same channels of each; tokens are joined with all of theirs.
        return fibres.source.name in LINES and not is_whole
    if fibres.source.name in LINES and num_channels == 1:
        # Features of a layer that mixes tokens are places: all of a sample's, in their order.
        return num_places < int(place.max() - place.min()) + 1
    whole = (fibres.width, fibres.height, fibres.width * fibres.height)
    return not (num_channels == 1 and num_places in whole and _is_line(fibres, place))


def _is_line(fibres: Fibres, place: Tensor) -> bool:
    """Say whether places are one whole row or column of the map, or all of it."""
    row, column = place // fibres.width, place.remainder(fibres.width)
    is_one_line = len(row.unique()) == 1 or len(column.unique()) == 1
    return is_one_line or len(place) == fibres.height * fibres.width


def _fault(fibres: Fibres, share: float, row: int) -> Fault:
    entries = fibres.place.shape[-1]
    place = fibres.place.reshape(-1, entries)[row]
    channel = fibres.channel.reshape(-1, entries)[row]
    source, fold = fibres.source, fibres.fold
    read_by = f"`{fibres.reader.name}`" if fibres.reader else "the output"
    first, last = _cell(fibres, place[0]), _cell(fibres, place[-1])
    return Fault(
        where=source.where or "",
        source=fold.source,
        evidence=f"`{fold.name}` makes {'×'.join(map(str, fold.outputs[0].shape))} rows of the "
        f"{fibres.num_channels}×{fibres.height}×{fibres.width} map, and {read_by} reads each as "
        f"one place, but in {share:.0%} of them the {entries} entries are several: those of row "
        f"{row:,} run from {first} to {last} in {_channels(channel)}.",
        measured={"share": share, "row": row, "entries": entries},
        at=fold.index,
    )


def _map_fault(fibres: Fibres, share: float) -> Fault:
    fold, tokens = fibres.fold, "×".join(map(str, fibres.fold.inputs[0].shape))
    return Fault(
        where=fibres.source.where or "",
        source=fold.source,
        evidence=f"`{fold.name}` makes a {'×'.join(map(str, fold.outputs[0].shape))} map of "
        f"{tokens} tokens, of which `{_reader(fibres)}` reads axis 1 as channels, but at "
        f"{share:.0%} of its places they are features of several tokens.",
        measured={"share": share},
        remedy="Put the features second before the reshape: `x.transpose(1, 2).reshape(b, c, h, "
        "w)` for tokens of (b, places, c).",
        at=fold.index,
    )


def _reader(fibres: Fibres) -> str:
    reader = fibres.reader
    assert reader is not None
    return reader.where or reader.name if reader.name == "convolution" else reader.name


def _cell(fibres: Fibres, place: Tensor) -> str:
    return f"row {int(place) // fibres.width} column {int(place) % fibres.width}"


def _channels(channel: Tensor) -> str:
    low, high = int(channel.min()), int(channel.max())
    return f"channel {low}" if low == high else f"channels {low} to {high}"


CHECK = Check(
    id="scrambled-row",
    summary="rows of an output that are scraps of several places",
    stage=Stage.REGISTRATION,
    severity=Severity.ERROR,
    remedy="Put the channels last before the reshape: `x.permute(0, 2, 3, 1).reshape(b, -1, k)`, "
    "or `x.flatten(2).transpose(1, 2)` for (b, places, channels).",
    find=find_scrambled_rows,
)
