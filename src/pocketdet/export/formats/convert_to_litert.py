"""Run by another Python: PROGRAM.pt2 to MODEL.tflite. Needs torch and litert-torch only."""

import sys

import litert_torch  # pyright: ignore[reportMissingImports]
import torch


def main(program: str, out: str) -> None:
    """Convert an exported program."""
    exported = torch.export.load(program)
    assert exported.example_inputs is not None
    (example,) = exported.example_inputs[0]
    litert_torch.convert(exported.module(), (example,)).export(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
