import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pocketdet.bench.file_call import file_call
from pocketdet.bench.models import MODULES, BenchRequest, candidates_of, write_plain_onnx
from pocketdet.bench.onnx_layers import onnx_layers
from pocketdet.bench.openvino_layers import openvino_layers
from pocketdet.bench.worker import WorkerTask
from pocketdet.bench.workers import Worker
from pocketdet.cli import app
from pocketdet.model import build
from pocketdet.recipes import PELEE_TINY


def test_times_a_file_and_a_recipe_in_turns(tmp_path: Path) -> None:
    file = write_plain_onnx(build(PELEE_TINY, num_classes=3), tmp_path / "tiny.onnx", (160, 192))
    arguments = [
        "bench", str(file), "PELEE_TINY", "--runtimes", "eager,onnxruntime", "--rounds", "2",
        "--calls", "1", "--json", "--layers", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in (0, 1), result.output
    report = json.loads(result.stdout)
    rows = report["rows"]
    assert [row["way"] for row in rows] == ["onnxruntime", "eager", "onnxruntime"]
    assert [row["note"] for row in rows] == ["", "random weights", "random weights"]
    for row in rows:
        assert row["error"] is None
        assert 0 < row["timing"]["p10_ms"] <= row["timing"]["median_ms"]
        assert row["bytes_peak"] > row["bytes_before"] > 0
        assert row["least_ms"] > 0
        assert sum(layer["macs"] for layer in row["layers"]) == row["macs"]
    assert (tmp_path / "out" / "bench.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "out" / "bench.json").read_text())["rates"]["1"]["fp32_macs"] > 0


def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "empty.pt")
    task = WorkerTask(way="eager", path=str(tmp_path / "empty.pt"), threads=1, height=32, width=32)
    with Worker(task) as worker:
        assert "no checkpoint of pocketdet" in worker.measured().error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ()}, "at least one model"),
        ({"models": ("a",), "ways": ("tensorflow",)}, "`runtimes` must be of eager"),
        ({"models": ("a",), "threads": (0,)}, "`threads` must be at least 1"),
    ],
)
def test_refuses_what_cannot_be_asked_for(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BenchRequest(**arguments)  # pyright: ignore[reportArgumentType]


def test_a_lone_openvino_file_has_the_roofline_of_the_onnx_file(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    file = write_plain_onnx(build(PELEE_TINY, num_classes=3), tmp_path / "tiny.onnx", (160, 192))
    openvino.save_model(openvino.convert_model(file), tmp_path / "tiny.xml")
    shape = (1, 3, 160, 192)
    own = openvino_layers(tmp_path / "tiny.xml", input_shape=shape)
    other = onnx_layers(file, input_shape=shape)
    assert sum(layer.macs for layer in own) == sum(layer.macs for layer in other)
    moved = [sum(layer.num_bytes(bytes_a_value=4) for layer in layers) for layers in (own, other)]
    assert moved[0] == pytest.approx(moved[1], rel=0.02)  # biases are sums of their own there
    request = BenchRequest(models=(str(tmp_path / "tiny.xml"),))
    ((candidate, _),) = candidates_of(request, tmp_path / "work")
    assert (candidate.way, candidate.macs) == ("openvino", sum(layer.macs for layer in own))


def test_an_exported_program_of_torch_is_timed(tmp_path: Path) -> None:
    class Halves(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.float().mean(dim=(2, 3)) / 2

    program = torch.export.export(Halves(), (torch.zeros(1, 3, 8, 8, dtype=torch.uint8),))
    torch.export.save(program, tmp_path / "halves.pt2")
    call = file_call(
        tmp_path / "halves.pt2", "torch", np.full((1, 3, 8, 8), 6, np.uint8), threads=1
    )
    assert call().tolist() == [[3.0, 3.0, 3.0]]
    with pytest.raises(ValueError, match="`sizes` must be given"):
        candidates_of(BenchRequest(models=(str(tmp_path / "halves.pt2"),)), tmp_path / "work")


def test_an_ncnn_file_is_timed_in_a_process_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    (tmp_path / "one.param").write_text(
        "7767517\n2 2\nInput in0 0 1 in0\nPooling pool0 1 1 in0 out0 0=1 4=1\n"
    )
    (tmp_path / "one.bin").touch()
    path = str(tmp_path / "one.param")
    task = WorkerTask(way="ncnn", path=path, threads=1, height=512, width=640)
    with Worker(task) as worker:
        worker.turn(8, counts=True)
        found = worker.measured()
    assert not found.error
    assert found.timing is not None


def test_a_file_that_is_damaged_or_that_nothing_can_run_is_refused_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cut.onnx"
    file.write_bytes(b"\x08\x0a\x12\x07pytorch" * 3)
    with pytest.raises(ValueError, match=r"cut.onnx` cannot be read: it is damaged, or no .onnx"):
        candidates_of(BenchRequest(models=("PELEE_TINY", str(file))), tmp_path / "one")
    with pytest.raises(ValueError, match=r"must have one that runs `.*cut.onnx`: onnxruntime or"):
        candidates_of(BenchRequest(models=(str(file),), ways=("eager",)), tmp_path / "two")
    program = tmp_path / "m.pte"
    program.touch()
    monkeypatch.setitem(MODULES, "executorch", "executorch_that_is_not_there")
    with pytest.raises(ValueError, match=r"m.pte` needs `executorch` to be timed, which is not"):
        candidates_of(BenchRequest(models=("PELEE_TINY", str(program))), tmp_path / "three")
