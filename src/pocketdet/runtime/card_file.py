"""A card on disk: `model.onnx.card.json` beside `model.onnx`."""

import json
from pathlib import Path
from typing import Any

from pocketdet.runtime.card import Card
from pocketdet.runtime.card_data import card_from_data, card_to_data

SUFFIX = ".card.json"


def card_path(model: Path | str) -> Path:
    """Give the place of a file's card."""
    path = Path(model)
    return path.with_name(path.name + SUFFIX)


def card_to_json(card: Card) -> str:
    """Write a card as JSON, one field a line and one place a line."""
    data = card_to_data(card)
    places = data["outputs"].pop("places_cxcywh", None)
    if places is None:
        return json.dumps(data, indent=2) + "\n"
    data["outputs"]["places_cxcywh"] = "\0"
    rows = ",\n      ".join(json.dumps(place) for place in places)
    text = json.dumps(data, indent=2)
    return text.replace(json.dumps("\0"), f"[\n      {rows}\n    ]") + "\n"


def card_from_json(text: str, *, name: str) -> Card:
    """Read a card; `name` says in errors where it comes from."""
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} is no card: it is no JSON ({error}).") from error
    try:
        return card_from_data(data)
    except ValueError as error:
        raise ValueError(f"{name} is no card that can be read: {error}") from error


def write_card(card: Card, model: Path | str) -> Path:
    """Write a file's card beside it."""
    path = card_path(model)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(card_to_json(card), encoding="utf-8")
    partial.replace(path)
    return path


def read_card(model: Path | str) -> Card:
    """Read the card beside an exported file, or the one inside an ONNX file that has none.

    A file without a card raises `ValueError`: nothing about it is guessed.
    """
    path = card_path(model)
    if path.is_file():
        return card_from_json(path.read_text(encoding="utf-8"), name=str(path))
    if Path(model).suffix == ".onnx":
        from pocketdet.runtime.sessions.onnx import embedded_card

        text = embedded_card(Path(model))
        if text is not None:
            return card_from_json(text, name=f"The card in {model}")
    raise ValueError(
        f"{model} has no card: {path.name} must lie beside it. `pocketdet export` writes both."
    )
