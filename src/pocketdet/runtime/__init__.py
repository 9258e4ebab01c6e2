"""Running exported files, without torch.

    from pocketdet.runtime import open_runner

    runner = open_runner("model.onnx")
    found = runner.predict([picture])[0]
    found.boxes_xyxy, found.scores, found.labels

- `card.py`, `outputs.py`, `card_file.py`: what lies beside every exported file and explains it;
- `decode.py`, `nms.py`: from outputs to detections, in NumPy; they equal `pocketdet.model`'s;
- `runner.py`, `open.py`: one runner for all files; `sessions/` has one file a runtime.
"""

from pocketdet.runtime.card import Card, FileInput
from pocketdet.runtime.card_file import card_path, read_card, write_card
from pocketdet.runtime.detections import DetectionArrays
from pocketdet.runtime.open import SUFFIXES, is_exported_file, open_runner
from pocketdet.runtime.outputs import (
    BoxOutputs,
    CellOutputs,
    DetectionRows,
    FileOutputs,
    PriorOutputs,
)
from pocketdet.runtime.runner import Arrays, Runner, Session

__all__ = [
    "SUFFIXES",
    "Arrays",
    "BoxOutputs",
    "Card",
    "CellOutputs",
    "DetectionArrays",
    "DetectionRows",
    "FileInput",
    "FileOutputs",
    "PriorOutputs",
    "Runner",
    "Session",
    "card_path",
    "is_exported_file",
    "open_runner",
    "read_card",
    "write_card",
]
