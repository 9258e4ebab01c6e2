"""ExecuTorch, with XNNPACK, in this environment or in one of its own."""

from pathlib import Path

from pocketdet.export.formats.elsewhere import convert_elsewhere
from pocketdet.export.formats.writer import Writer
from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import Card

SCRIPT = Path(__file__).with_name("convert_to_executorch.py")


def write_executorch(
    network: FileNetwork, card: Card, path: Path, settings: ExportSettings
) -> None:
    """Write a .pte file that takes one picture at a time."""
    convert_elsewhere(network, card, path, settings, script=SCRIPT, packages="executorch")


WRITER = Writer(write=write_executorch, batch=1)
