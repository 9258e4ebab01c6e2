"""Converters that want an environment of their own: they are run there, on an exported program."""

from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory

from pocketdet.export.formats.program import write_program
from pocketdet.export.network import FileNetwork
from pocketdet.export.settings import ExportSettings
from pocketdet.runtime.card import Card


def convert_elsewhere(
    network: FileNetwork,
    card: Card,
    path: Path,
    settings: ExportSettings,
    *,
    script: Path,
    packages: str,
) -> None:
    """Write a program, and have `script PROGRAM PATH` convert it in `settings.python`, or here.

    The script imports torch and the converter, nothing of ours.
    """
    python = settings.python or sys.executable
    with TemporaryDirectory() as folder:
        program = Path(folder) / "program.pt2"
        write_program(network, card, program, settings)
        done = subprocess.run(
            [python, "-P", str(script), str(program), str(path.absolute())],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        last = " ".join(done.stderr.strip().splitlines()[-1:])
        raise ValueError(
            f"`{python}` could not convert to {settings.to} ({last}). The converter wants an "
            f"environment of its own: `python -m venv ENV`, `ENV/bin/pip install {packages}`, then "
            "`--python ENV/bin/python`."
        )
