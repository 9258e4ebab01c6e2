"""Two CPU processes (gloo) against one, on the same global batches.

Float32 sums are added up in another order, so the figures agree to rounding only: measured 3e-7 of
the losses and 1e-6 in the weights after six steps, held here to 1e-5. Without priors the targets
depend on the outputs, by their sixth power: 8e-6 of the losses, 7e-5 of a gradient's norm (1e-7 in
the first step) and 2e-5 in the weights, held to 2e-4.
"""

import os
from pathlib import Path
import socket
import subprocess
import sys

import pytest
import torch

from pocketdet.train.distributed import World, join_world, resolve_device

SCRIPT = Path(__file__).with_name("train_tiny_distributed.py")
TOLERANCES = {"priors": 1e-5, "points": 2e-4}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def run_processes(number, folder, *arguments):
    folder.mkdir()
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": str(number)}
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), *map(str, arguments)],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(number)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * number
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(number)]


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("batch_size", "accumulate", "head"), [(8, 1, "priors"), (4, 2, "priors"), (4, 2, "points")]
)
def test_two_processes_train_as_one_does(tmp_path, batch_size, accumulate, head):
    tolerance = TOLERANCES[head]
    (alone,) = run_processes(1, tmp_path / "one", batch_size, accumulate, head)
    main, other = run_processes(2, tmp_path / "two", batch_size, accumulate, head)
    assert len(alone["steps"]) == len(main["steps"]) == 6
    for of_one, of_two in zip(alone["steps"], main["steps"], strict=True):
        assert of_two == pytest.approx(of_one, rel=tolerance)
    for part in ("weights", "average"):
        assert main[part].keys() == alone[part].keys()
        for name, value in alone[part].items():
            assert torch.allclose(main[part][name], value, atol=tolerance, rtol=tolerance), name
            assert torch.equal(main[part][name], other[part][name]), name
    assert other["steps"] == []
    assert main["history"] == other["history"]
    assert main["history"][-1]["ap"] == pytest.approx(alone["history"][-1]["ap"], abs=1e-2)


@pytest.mark.timeout(200)
def test_a_bad_loss_in_one_process_stops_all_before_the_step(tmp_path):
    main, other = run_processes(2, tmp_path / "two", 8, 1, "poison")
    for error in (main["error"], other["error"]):
        assert error.startswith("the localization and the gradient are not finite")
    assert "in another process" in main["error"]
    assert other["error"].count("picture") == 4
    assert main["steps"] == []


class TestOneProcess:
    def test_it_is_the_main_one_and_needs_no_group(self):
        with join_world("cpu") as world:
            assert world.is_main
            assert world.size == 1
            assert not torch.distributed.is_initialized()
            assert world.tell_all("x") == "x"
            assert float(world.sum(torch.tensor(2.0))) == 2.0

    def test_devices_are_named_or_refused(self):
        assert resolve_device("cpu") == torch.device("cpu")
        with pytest.raises(ValueError, match="`device` must be auto, cpu, cuda"):
            resolve_device("gpu")
        if not torch.cuda.is_available():
            assert resolve_device("auto") == torch.device("cpu")
            with pytest.raises(ValueError, match="0 CUDA GPUs"):
                resolve_device("cuda:0")


def test_a_world_is_one_process_by_default():
    assert World().is_main
