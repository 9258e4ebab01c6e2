import io
import math

import pytest
from tiny_training import (
    pretended_ap,
    tiny_detector,
    tiny_plan,
    tiny_settings,
    train_in_folder,
    train_tiny,
)
import torch

from pocketdet.model import Detector
from pocketdet.train.atomic_file import write_atomically
from pocketdet.train.checkpoint import (
    read_checkpoint,
    resume,
    save_checkpoints,
    saved_settings,
)
from pocketdet.train.distributed import World
from pocketdet.train.loop import train
from pocketdet.train.state import begin


def weights_are_equal(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


def without_times(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


@pytest.mark.parametrize("changes", [{}, {"ema_decay": None}, {"accumulate": 2}])
def test_a_run_resumed_after_any_epoch_ends_with_equal_weights(tmp_path, changes):
    settings = tiny_settings(epochs=4, **changes)
    whole = train_tiny(settings, evaluate=pretended_ap)
    for stop_after in range(4):
        folder = tmp_path / str(stop_after)
        folder.mkdir()

        class Stopped(Exception):
            pass

        def save(state, folder=folder, stop_after=stop_after):
            save_checkpoints(folder, state, settings, {})
            if state.epoch == stop_after:
                raise Stopped

        state = begin(tiny_detector(), settings)
        with pytest.raises(Stopped):
            train(state, tiny_plan(settings, evaluate=pretended_ap, save=save))
        torch.rand(3)
        resumed = train_in_folder(folder, settings)
        assert weights_are_equal(resumed.detector, whole.detector)
        assert weights_are_equal(resumed.detector_to_use, whole.detector_to_use)
        assert without_times(resumed.history) == without_times(whole.history)
        assert resumed.step == whole.step


def test_a_checkpoint_is_a_detector_with_the_weights_to_use(tmp_path):
    settings = tiny_settings()
    state = train_tiny(
        settings,
        evaluate=lambda detector: {"ap": 0.1},
        save=lambda state: save_checkpoints(tmp_path, state, settings, {"data": "there"}),
    )
    loaded = Detector.load(tmp_path / "last.pt")
    assert weights_are_equal(loaded, state.average.detector)
    assert not weights_are_equal(loaded, state.detector)
    assert loaded.config == state.detector.config
    assert loaded.contract == state.detector.contract
    assert list(loaded.classes) == list(state.detector.classes)
    data = read_checkpoint(tmp_path / "last.pt")
    assert saved_settings(data) == settings
    assert data["training"]["source"] == {"data": "there"}


def test_the_best_checkpoint_is_of_the_epoch_with_the_highest_ap(tmp_path):
    values = iter([0.2, 0.5, 0.5, 0.4])
    settings = tiny_settings(epochs=4)
    train_tiny(
        settings,
        evaluate=lambda detector: {"ap": next(values)},
        save=lambda state: save_checkpoints(tmp_path, state, settings, {}),
    )
    assert read_checkpoint(tmp_path / "best.pt")["training"]["epoch"] == 2
    assert read_checkpoint(tmp_path / "last.pt")["training"]["epoch"] == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "last.pt"]


def test_random_numbers_go_on_where_they_were(tmp_path):
    settings = tiny_settings()
    state = begin(tiny_detector(), settings)
    torch.manual_seed(5)
    save_checkpoints(tmp_path, state, settings, {})
    expected = torch.rand(4)
    torch.manual_seed(9)
    resume(read_checkpoint(tmp_path / "last.pt"), settings, World())
    assert torch.equal(torch.rand(4), expected)


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "last.pt"
    write_atomically(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half of the n")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_what_is_no_checkpoint_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "last.pt"
    with pytest.raises(ValueError, match=r"it has no last\.pt"):
        read_checkpoint(path)
    whole = io.BytesIO()
    torch.save({"weights": torch.rand(1000)}, whole)
    for content in (b"", b"no checkpoint", whole.getvalue()[:2000]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is no checkpoint of pocketdet, or is damaged"):
            read_checkpoint(path)
    path.write_bytes(whole.getvalue())
    with pytest.raises(ValueError, match="no training to go on with"):
        read_checkpoint(path)


def test_reading_runs_no_pickled_code(tmp_path):
    ran = tmp_path / "ran"

    class Harmful:
        def __reduce__(self):
            return (type(ran).touch, (ran,))

    torch.save({"training": Harmful()}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="is no checkpoint"):
        read_checkpoint(tmp_path / "last.pt")
    assert not ran.exists()


def test_the_history_holds_plain_numbers(tmp_path):
    state = train_tiny(tiny_settings(epochs=1), evaluate=lambda detector: {"ap": torch.tensor(0.5)})
    assert all(type(value) in (int, float) for value in state.history[0].values())
    assert math.isfinite(state.history[0]["seconds"])
