"""LiteRT (TensorFlow Lite files), by litert-torch, in an environment of its own."""

from pathlib import Path

from pocketdet.export.formats.elsewhere import convert_elsewhere
from pocketdet.export.formats.writer import Writer
from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import Card

SCRIPT = Path(__file__).with_name("convert_to_litert.py")


def write_litert(network: FileNetwork, card: Card, path: Path, settings: ExportSettings) -> None:
    """Write a .tflite file that takes one picture at a time."""
    convert_elsewhere(network, card, path, settings, script=SCRIPT, packages="litert-torch")


WRITER = Writer(write=write_litert, batch=1)
