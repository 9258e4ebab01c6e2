"""Compare two detectors block by block: the edit report."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import torch

from pocketdet.edit.alignment import align
from pocketdet.edit.block_cost import BlockCost, Latency, count_cost, time_interleaved
from pocketdet.edit.blocks import Block, blocks_of
from pocketdet.edit.config_changes import Change, changes_between
from pocketdet.model import Detector

BlockFate = Literal["same", "changed", "added", "removed"]
Maps = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class BlockSide:
    """A block in one of the two detectors; `whole` stands for all of it."""

    name: str
    kind: str
    maps: Maps
    cost: BlockCost


@dataclass(frozen=True, kw_only=True)
class BlockRow:
    """A block before and after; `changed` where its config or the shape of its weights differs."""

    role: str
    fate: BlockFate
    before: BlockSide | None
    after: BlockSide | None


@dataclass(frozen=True, kw_only=True)
class EditReport:
    """What differs between two detectors, what each block costs, and the whole."""

    changes: tuple[Change, ...]
    rows: tuple[BlockRow, ...]
    whole: BlockRow
    num_threads: int

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data that JSON can hold."""
        return asdict(self)


def compare(base: Detector, altered: Detector, *, rounds: int = 20) -> EditReport:
    """Compare two detectors; with `rounds` of 0 nothing is timed. Their mode is evaluation after.

    All blocks and both wholes are timed in turns, on this machine's CPU, with one picture.
    """
    base.eval()
    altered.eval()
    before, after = _with_whole(base), _with_whole(altered)
    latencies: dict[str, Latency] = {}
    if rounds:
        latencies = time_interleaved(_in_turns(before, after), rounds=rounds)
    old = {n: _side(b, latencies.get(f"before {n}")) for n, b in before.items()}
    new = {n: _side(b, latencies.get(f"after {n}")) for n, b in after.items()}
    blocks_before = [block for name, block in before.items() if name != "whole"]
    blocks_after = [block for name, block in after.items() if name != "whole"]
    rows: list[BlockRow] = []
    for i, j in align(blocks_before, blocks_after, _likeness):
        first = None if i is None else blocks_before[i]
        second = None if j is None else blocks_after[j]
        known = first or second
        assert known is not None
        rows.append(
            BlockRow(
                role=known.role,
                fate=_fate(first, second),
                before=None if first is None else old[first.name],
                after=None if second is None else new[second.name],
            )
        )
    whole_fate: BlockFate = "same" if all(row.fate == "same" for row in rows) else "changed"
    return EditReport(
        changes=changes_between(base.config, altered.config),
        rows=tuple(rows),
        whole=BlockRow(role="whole", fate=whole_fate, before=old["whole"], after=new["whole"]),
        num_threads=torch.get_num_threads(),
    )


def _with_whole(detector: Detector) -> dict[str, Block]:
    blocks = {block.name: block for block in blocks_of(detector)}
    height, width = detector.contract.height, detector.contract.width
    whole = Block(
        name="whole",
        role="whole",
        kind="",
        module=detector,
        given=(torch.zeros(1, 3, height, width),),
        maps=((3, height, width),),
    )
    return {**blocks, "whole": whole}


def _in_turns(before: dict[str, Block], after: dict[str, Block]) -> dict[str, Callable[[], object]]:
    """Put each block beside its namesake, so that both see the same moment of the machine."""
    calls: dict[str, Callable[[], object]] = {}
    for name in dict.fromkeys([*before, *after]):
        for side, blocks in (("before", before), ("after", after)):
            if name in blocks:
                calls[f"{side} {name}"] = _call(blocks[name])
    return calls


def _call(block: Block) -> Callable[[], object]:
    return partial(block.module, *block.given)


def _side(block: Block, latency: Latency | None) -> BlockSide:
    cost = replace(count_cost(block), latency=latency)
    return BlockSide(name=block.name, kind=block.kind, maps=block.maps, cost=cost)


def _likeness(before: Block, after: Block) -> float:
    if before.role != after.role:
        return 0.0
    same_kind = before.kind.split("(")[0] == after.kind.split("(")[0]
    score = 1.0 + same_kind + (before.kind == after.kind) + (before.structure == after.structure)
    return score + 0.1 * (before.name == after.name)


def _fate(before: Block | None, after: Block | None) -> BlockFate:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "same" if before.structure == after.structure else "changed"
