"""The folder of a page: its files, the runtime, the model and its card."""

from pathlib import Path
import shutil

from pocketdet.runtime import Card, read_card
from pocketdet.runtime.card_file import card_to_json
from pocketdet.web.onnx_web import onnx_web_files

PAGE = Path(__file__).with_name("page")
MODEL, CARD = "model.onnx", "card.json"
INTERPOLATIONS = ("linear", "nearest")


def write_site(model: Path, folder: Path) -> Card:
    """Write all files of a model's page into a folder, which any web server can serve."""
    if model.suffix != ".onnx":
        raise ValueError(f"The page runs .onnx files; got {model}.")
    if not model.is_file():
        raise ValueError(f"`{model}` must be an exported file; there is no such file.")
    card = read_card(model)
    if card.contract.interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"The page resizes by {' or '.join(INTERPOLATIONS)} interpolation; the card of {model} "
            f"asks for {card.contract.interpolation}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*PAGE.iterdir(), *onnx_web_files()):
        shutil.copyfile(file, folder / file.name)
    shutil.copyfile(model, folder / MODEL)
    (folder / CARD).write_text(card_to_json(card), encoding="utf-8")
    return card
