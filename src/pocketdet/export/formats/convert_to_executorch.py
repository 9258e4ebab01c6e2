"""Run by another Python: PROGRAM.pt2 to MODEL.pte. Needs torch and executorch only."""

from pathlib import Path
import sys

from executorch.backends.xnnpack.partition.xnnpack_partitioner import (  # pyright: ignore[reportMissingImports]
    XnnpackPartitioner,
)
from executorch.exir import to_edge_transform_and_lower  # pyright: ignore[reportMissingImports]
import torch


def main(program: str, out: str) -> None:
    """Convert an exported program."""
    exported = torch.export.load(program)
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    Path(out).write_bytes(lowered.to_executorch().buffer)


if __name__ == "__main__":
    main(*sys.argv[1:])
