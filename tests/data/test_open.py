from pathlib import Path

import pytest

from pocketdet.data import open as open_module
from pocketdet.data.digits.builtin import BuiltinSettings, builtin_dataset
from pocketdet.data.open import open_dataset
from pocketdet.data.progress import silent

SMALL = BuiltinSettings(num_train=2, num_val=1)


def test_the_name_digits_opens_the_built_in_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = builtin_dataset(root=tmp_path, settings=SMALL, num_processes=1, progress=silent)
    monkeypatch.setattr(open_module, "builtin_dataset", lambda: folder)
    assert len(open_dataset("digits").split("train")) == 2
    assert open_dataset(folder).root == folder
    assert open_dataset(str(folder)).root == folder


def test_a_folder_called_digits_is_reached_by_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = builtin_dataset(root=tmp_path, settings=SMALL, num_processes=1, progress=silent)
    folder.rename(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert len(open_dataset("./digits").split("val")) == 1


def test_a_wrong_name_is_answered_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"`digit` is neither .* Did you mean `digits`\?"):
        open_dataset("digit")
    with pytest.raises(ValueError, match="`/nowhere/at/all` is neither a folder nor"):
        open_dataset("/nowhere/at/all")
