"""ncnn, by pnnx: one picture at a time."""

from copy import deepcopy
from pathlib import Path
import shutil
import subprocess
from tempfile import TemporaryDirectory
from typing import Any
import warnings

import torch

from pocketdet.export.formats.writer import Writer, example_input
from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import Card
from pocketdet.runtime.sessions.installed import need


@torch.no_grad()
def write_ncnn(network: FileNetwork, card: Card, path: Path, settings: ExportSettings) -> None:
    """Write a .param file and a .bin; fp16 stores the weights so."""
    pnnx = need("pnnx", extra="ncnn", what="Exporting to ncnn")
    example = example_input(card, batch=1)
    with TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing fixes the input's size, which is meant here
            # A function, since tracing a module asks for all its properties, and a head without
            # priors refuses to be asked for them.
            frozen = deepcopy(network).requires_grad_(requires_grad=False)

            def run(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
                return frozen(images)

            traced: Any = torch.jit.trace(run, example, check_trace=False)
            traced.save(str(Path(folder) / "model.pt"))
        shape = "[" + ",".join(str(side) for side in example.shape) + "]f32"
        half = int(settings.precision == "fp16")
        done = subprocess.run(
            [pnnx.EXEC_PATH, "model.pt", f"inputshape={shape}", f"fp16={half}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        written = [Path(folder) / f"model.ncnn.{end}" for end in ("param", "bin")]
        if done.returncode or not all(file.is_file() for file in written):
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise ValueError(f"pnnx could not convert the network to ncnn: {' '.join(last)}")
        shutil.move(written[1], path.with_suffix(".bin"))
        shutil.move(written[0], path)


WRITER = Writer(write=write_ncnn, batch=1)
