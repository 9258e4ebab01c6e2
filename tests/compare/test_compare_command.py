"""`pocketdet compare`, from the command line to its folder."""

from dataclasses import replace
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pocketdet.cli import app
from pocketdet.config_file import save_config
from pocketdet.conventions import ClassList, InputContract, Sample
from pocketdet.data.dataset import Dataset, Traits
from pocketdet.data.formats.any_format import write_dataset
from pocketdet.model import BatchNorm, DetectorConfig, ExtraConvs, PeleeHead, PeleeStem, TwoWayDense
from pocketdet.model.priors import prior_ladder
from pocketdet.requests.comparison import CompareOptions, named_configs, seconds

TINY = DetectorConfig(
    input=InputContract(height=48, width=48),
    stem=PeleeStem(channels=8),
    stages=(TwoWayDense(num_layers=1, growth=8, bottleneck_width=1),) * 2,
    levels_from=(0, 1),
    extras=(ExtraConvs(hidden=8, channels=16, norm=BatchNorm()),),
    head=PeleeHead(channels=16, priors=prior_ladder((0, 1, 2), (0.15, 0.35, 0.6, 0.95))),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    samples = []
    for index in range(14):
        image = rng.integers(100, 156, (3, 48, 48), dtype=np.uint8)
        x, y = (int(v) for v in rng.integers(0, 24, 2))
        image[:, y : y + 16, x : x + 16] = (230, 20)[index % 2]
        samples.append(
            Sample.of(
                torch.from_numpy(image), [[x, y, x + 16, y + 16]], [index % 2], image_id=f"p{index}"
            )
        )
    dataset = Dataset(
        classes=ClassList.of(["bright", "dark"]),
        splits={"train": samples[:8], "val": samples[8:]},
        traits=Traits(),
        root=folder,
        format="coco",
    )
    write_dataset(dataset, folder / "shapes", "coco")
    save_config(TINY, folder / "one.yaml")
    save_config(TINY, folder / "same.yaml")
    save_config(replace(TINY, stem=PeleeStem(channels=12)), folder / "wider.yaml")
    return folder


def compare(place: Path, *arguments: str):
    common = ["--data", str(place / "shapes"), "--epochs", "2", "--batch-size", "4"]
    result = CliRunner().invoke(app, ["compare", *arguments, *common, "--device", "cpu"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_config_under_two_names_is_no_different(place) -> None:
    files = [str(place / "one.yaml"), str(place / "same.yaml")]
    shown = compare(place, *files, "--seeds", "2", "--out", str(place / "same")).output
    assert "one" in shown
    assert "no difference that this budget can show" in shown
    assert max(len(line) for line in shown.splitlines() if "parameters" in line) <= 80


def test_the_folder_has_all_of_it_and_a_second_call_trains_nothing(place) -> None:
    files = [str(place / "one.yaml"), str(place / "wider.yaml")]
    out = place / "pair"
    arguments = [*files, "--seeds", "3", "--difference", "0.5", "--out", str(out), "--json"]
    first = json.loads(compare(place, *arguments).stdout)
    assert json.loads((out / "comparison.json").read_text())["against"] == first["against"]
    assert (out / "comparison.png").stat().st_size > 1000
    assert [one["name"] for one in first["contenders"]] == ["one", "wider"]
    assert set(first["against"][0]["differences"]) == {"AP", "AP50", "bright", "dark"}
    assert (
        first["contenders"][1]["cost"]["parameters"] > first["contenders"][0]["cost"]["parameters"]
    )
    results = sorted(out.glob("trials/*/result-epochs.npz"))
    assert len(results) == 2 * first["num_seeds"]
    written = [path.stat().st_mtime_ns for path in results]
    again = json.loads(compare(place, *arguments).stdout)
    assert [path.stat().st_mtime_ns for path in results] == written
    assert again["against"] == first["against"]


def test_a_budget_ends_it_between_seeds(place) -> None:
    files = [str(place / "one.yaml"), str(place / "wider.yaml")]
    arguments = [
        *files,
        "--seeds",
        "6",
        "--budget",
        "0.1s",
        "--out",
        str(place / "short"),
        "--json",
    ]
    found = json.loads(compare(place, *arguments).stdout)
    assert found["num_seeds"] == 2
    assert "budget" in found["reason"]


@pytest.mark.slow
def test_side_by_side_gives_what_one_after_the_other_does(place) -> None:
    files = [str(place / "one.yaml"), str(place / "wider.yaml")]
    arguments = [*files, "--seeds", "2", "--json"]
    one = json.loads(compare(place, *arguments, "--out", str(place / "one at a time")).stdout)
    two = json.loads(
        compare(place, *arguments, "--out", str(place / "beside"), "--jobs", "2").stdout
    )
    assert one["against"] == two["against"]


def test_its_flags_are_these() -> None:
    """A setting goes into --settings; the command line does not grow."""
    (command,) = (one for one in app.registered_commands if one.name == "compare")
    flags = set(inspect.signature(command.callback).parameters) - {"configs", "as_json"}
    assert flags == {
        "augmentation",
        "batch_size",
        "budget",
        "data",
        "device",
        "difference",
        "epochs",
        "jobs",
        "learning_rate",
        "out",
        "seed",
        "seeds",
        "settings",
        "split_train",
        "split_val",
        "train_images",
        "val_images",
    }


def test_a_time_is_read_in_seconds_minutes_and_hours() -> None:
    assert [seconds(text) for text in ("90s", "20m", "2h", "1h30m", "1.5h")] == [
        90,
        1200,
        7200,
        5400,
        5400,
    ]
    with pytest.raises(ValueError, match="a time like 90s, 20m or 2h; got '20'"):
        seconds("20")


def test_equal_names_are_told_apart() -> None:
    assert list(named_configs(["PELEE", "PELEE", "PELEE_TINY"])) == [
        "PELEE",
        "PELEE-2",
        "PELEE_TINY",
    ]


def test_runs_bring_their_config_and_settings_and_must_agree_in_them(place) -> None:
    for name, rate in (("run-a", 0.01), ("run-b", 0.01), ("run-c", 0.02)):
        folder = place / name
        folder.mkdir()
        save_config(TINY, folder / "config.yaml")
        (folder / "settings.yaml").write_text(f"learning_rate: {rate}\nseed: 3\n")
    options = CompareOptions(
        configs=[str(place / "run-a"), str(place / "run-b")], data="shapes", changes={}
    )
    request = options.request()
    assert list(request.configs) == ["run-a", "run-b"]
    assert request.configs["run-a"] == TINY
    assert request.settings.learning_rate == 0.01
    assert request.trial("run-b", 2).settings.seed == 5
    other = replace(options, configs=[str(place / "run-a"), str(place / "run-c")])
    with pytest.raises(ValueError, match="different settings, so that they cannot be paired"):
        other.request()


def test_one_config_alone_is_refused(place) -> None:
    with pytest.raises(ValueError, match="at least two"):
        compare(place, str(place / "one.yaml"))
