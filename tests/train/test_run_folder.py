import pytest

from pocketdet.train.run_folder import RunFolder


def test_numbered_runs_never_share_a_folder(tmp_path):
    names = [
        RunFolder.create_numbered(tmp_path / "runs", "pelee-digits").path.name for _ in range(3)
    ]
    assert names == ["pelee-digits-1", "pelee-digits-2", "pelee-digits-3"]


def test_a_name_that_is_taken_is_refused_and_what_is_there_stays(tmp_path):
    folder = RunFolder.create(tmp_path, "mine")
    folder.metrics.write_text("precious")
    with pytest.raises(ValueError, match=r"no run is overwritten.*--resume"):
        RunFolder.create(tmp_path, "mine")
    assert folder.metrics.read_text() == "precious"


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc"])
def test_a_name_is_no_path(tmp_path, name):
    with pytest.raises(ValueError, match="`name` must be the name of a folder"):
        RunFolder.create(tmp_path / "runs", name)
