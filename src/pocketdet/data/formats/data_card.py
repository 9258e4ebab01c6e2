"""`pocketdet.yaml`: what a data set says about itself, beside its files."""

from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from pocketdet.conventions import ClassList
from pocketdet.data.dataset import Traits

DATA_CARD = "pocketdet.yaml"
KEYS = (*(field.name for field in fields(Traits)), "classes")


@dataclass(frozen=True, kw_only=True)
class DataCard:
    """The content of the file; `classes` is None where it gives no class list."""

    traits: Traits
    classes: ClassList | None = None


def read_data_card(root: Path) -> DataCard:
    """Read the folder's `pocketdet.yaml`; without one, everything has its default."""
    path = root / DATA_CARD
    if not path.is_file():
        return DataCard(traits=Traits())
    content = read_yaml(path)
    for key in content:
        if key not in KEYS:
            close = get_close_matches(str(key), KEYS, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            raise ValueError(f"`{key}` is no key of {path}; there are {', '.join(KEYS)}.{hint}")
    classes = content.pop("classes", None)
    if classes is not None and not isinstance(classes, list):
        raise ValueError(f"`classes` in {path} must be a list of names; got {classes!r}.")
    return DataCard(
        traits=Traits(**content), classes=None if classes is None else ClassList.of(classes)
    )


def write_data_card(root: Path, card: DataCard) -> None:
    """Write `pocketdet.yaml`, unless it would say nothing but defaults."""
    content: dict[str, Any] = {
        key: value for key, value in asdict(card.traits).items() if value != getattr(Traits(), key)
    }
    if card.classes is not None:
        content["classes"] = list(card.classes)
    if content:
        write_yaml(root / DATA_CARD, content)


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a YAML file that must hold keys and values."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is not YAML: {reason}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values; got {type(content).__name__}.")
    return content


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Write keys and values, in this order."""
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
