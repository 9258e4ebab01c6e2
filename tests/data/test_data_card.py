from pathlib import Path

import pytest

from pocketdet.conventions import ClassList
from pocketdet.data.dataset import Traits
from pocketdet.data.formats.data_card import DataCard, read_data_card, write_data_card


@pytest.mark.parametrize("classes", [None, ClassList.of(["b", "a: c", "1", "no"])])
@pytest.mark.parametrize("first_pixel", [0, 1])
@pytest.mark.parametrize("horizontal_flip", [False, True])
def test_what_is_written_is_read_again(
    *, horizontal_flip: bool, first_pixel: int, classes: ClassList | None, tmp_path: Path
) -> None:
    traits = Traits(horizontal_flip=horizontal_flip, first_pixel=first_pixel)
    write_data_card(tmp_path, DataCard(traits=traits, classes=classes))
    assert read_data_card(tmp_path) == DataCard(traits=traits, classes=classes)
    assert (tmp_path / "pocketdet.yaml").exists() == (traits != Traits() or classes is not None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("horizontal_flips: true", "Did you mean `horizontal_flip`"),
        ("first_pixel: 2", "must be 0 or 1"),
        ("horizontal_flip: maybe", "must be true or false"),
        ("classes: ant", "must be a list of names"),
        ("classes: [ant, ant]", "must be unique"),
        ("{", "is not YAML"),
        ("- a", "must hold keys and values"),
    ],
)
def test_a_mistake_is_one_clear_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "pocketdet.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_data_card(tmp_path)
