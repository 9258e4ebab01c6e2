"""What precision an exported file computes in: as its card says, else by its graph."""

from pathlib import Path

from pocketdet.bench.onnx_layers import is_quantized_onnx
from pocketdet.runtime import Card, card_path
from pocketdet.runtime.card_file import read_card


def card_of_file(path: Path) -> Card | None:
    """Read the card that lies beside a file; None where none does."""
    return read_card(path) if card_path(path).is_file() else None


def precision_of(path: Path) -> str:
    """Say fp32, fp16 or int8."""
    card = card_of_file(path)
    if card is not None:
        return card.precision
    if path.suffix == ".onnx":
        return "int8" if is_quantized_onnx(path) else "fp32"
    if path.suffix == ".xml":
        return "int8" if "FakeQuantize" in path.read_text(encoding="utf-8") else "fp32"
    return "fp32"
