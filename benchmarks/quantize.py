"""What few bits cost a trained detector, and what they save.

    python benchmarks/quantize.py RUN --data FOLDER              # tables of AP, bytes and ms
    python benchmarks/quantize.py RUN --data FOLDER --epochs 4   # with training on the grids
    python benchmarks/quantize.py RUN --data FOLDER --write

Every row is remembered in `--rows` (`benchmarks/results/quantize.json`) for these weights, split
and number of pictures, so that a run that was stopped goes on. AP is that of `--split` (test), by
the torch form; calibration pictures are of the training split. Times are ONNX Runtime's, one
thread, batch 1, fp32 and int8 in turns.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from datetime import date
import json
from pathlib import Path
import platform
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime
import torch

from pocketdet.compress.fingerprint import fingerprint
from pocketdet.compress.origin import read_origin
from pocketdet.compress.quantize import Quantize
from pocketdet.compress.quantize.quantize import calibrated
from pocketdet.compress.workbench import Workbench
from pocketdet.data.progress import silent
from pocketdet.evaluate.job import evaluate_run
from pocketdet.export import ExportSettings, export_detector
from pocketdet.model import Detector
from pocketdet.model.quantized import QuantizedDetector
from pocketdet.model.quantized.onnx_form import onnx_form
from pocketdet.model.saved_detector import detector_to_data
from pocketdet.runs.data import DataSource, open_training_data
from pocketdet.train.distributed import World

RESULTS = Path(__file__).parent / "results"
WEIGHTS_ONLY = Quantize(activation_bits=None, reduce_range=False, bias_correction=False, lose=None)

AFTER_TRAINING = {
    f"int8, {how}": Quantize(calibration=how, bias_correction=False, lose=None)
    for how in ("minmax", "percentile", "entropy", "mse")
} | {"int8, minmax, biases corrected": Quantize(lose=None)}
FILES = {
    f"{kind}, {bits} bits": replace(WEIGHTS_ONLY, weight_bits=bits, codebook=kind == "codebook")
    for bits in (8, 6, 4)
    for kind in ("uniform", "codebook")
}


class Rows:
    """Rows by name, kept in a file; what is there is not computed again."""

    def __init__(self, file: Path, weights: str) -> None:
        self.file, self.weights = file, weights
        self.rows: dict[str, Any] = {}
        self.only: list[str] | None = None
        if file.is_file():
            saved = json.loads(file.read_text())
            self.rows = saved["rows"] if saved["weights"] == weights else {}

    def __call__(self, name: str, compute: Callable[[], dict[str, Any]]) -> None:
        if self.only is not None and name not in self.only:
            return
        if name not in self.rows:
            self.rows[name] = compute()
            text = json.dumps({"weights": self.weights, "rows": self.rows}, indent=1)
            self.file.write_text(text)
        print(name, self.rows[name], flush=True)


def file_size(detector: Detector) -> int:
    with TemporaryDirectory() as folder:
        torch.save(detector_to_data(detector), Path(folder) / "x.pt")
        return (Path(folder) / "x.pt").stat().st_size


def scores(detector: Detector, data: str, split: str) -> dict[str, Any]:
    found = evaluate_run(detector, data, split=split).evaluation
    return {
        "ap": round(100 * found.ap, 2),
        "ap50": round(100 * found.ap50, 2),
        "kB": file_size(detector) // 1000,
    }


def timed(first: Path, second: Path, *, rounds: int) -> dict[str, Any]:
    """Run two files in turns; median and 10th percentile in ms."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    times: dict[str, list[float]] = {}
    sessions = {
        name: onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        for name, file in (("fp32", first), ("int8", second))
    }
    given = {s: _picture(session) for s, session in sessions.items()}
    for turn in range(rounds + 5):
        for name, session in sessions.items():
            start = perf_counter()
            session.run(None, given[name])
            if turn >= 5:
                times.setdefault(name, []).append(1000 * (perf_counter() - start))
    result: dict[str, Any] = {}
    for name, taken in times.items():
        result[f"{name} p10"] = round(quantiles(taken, n=10)[0], 2)
        result[f"{name} median"] = round(median(taken), 2)
    result["speed-up p10"] = round(result["fp32 p10"] / result["int8 p10"], 2)
    return result


def _picture(session: Any) -> dict[str, Any]:
    entry = session.get_inputs()[0]
    shape = [1, *entry.shape[1:]]
    kind = np.uint8 if "uint8" in entry.type else np.float32
    return {entry.name: np.random.default_rng(0).integers(0, 255, shape).astype(kind)}


def exported(detector: Detector, held: QuantizedDetector, *, rounds: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        files = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        export_detector(detector, files[0])
        export_detector(held, files[1], ExportSettings(precision="int8"), network=onnx_form(held))
        sizes = {f"{f.stem} kB": f.stat().st_size // 1000 for f in files}
        return {**sizes, **timed(*files, rounds=rounds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--split-train", default="trainval")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rows", type=Path, default=RESULTS / "quantize.json", help="remembered")
    parser.add_argument("--epochs", type=float, default=0.0)
    parser.add_argument("--rate", type=float, nargs="*", help="learning rates of that training")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--only", nargs="*", help="names of rows, as they are printed")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    detector = Detector.load(asked.run)
    bench = _bench(detector, asked)
    images = bench.calibration_images(detector, asked.images)
    rows = Rows(asked.rows, f"{fingerprint(detector)} {asked.split} {asked.images}")
    rows.only = asked.only
    rows("fp32", lambda: scores(detector, asked.data, asked.split))
    for name, step in {**AFTER_TRAINING, **FILES}.items():
        rows(
            name,
            lambda step=step: scores(
                calibrated(detector, images, step=step), asked.data, asked.split
            ),
        )
    for rate in (asked.rate or (None,)) if asked.epochs else ():
        step = Quantize(images=asked.images, epochs=asked.epochs, learning_rate=rate, lose=None)
        rows(
            f"int8, trained {asked.epochs:g} epochs" + (f" at {rate:g}" if rate else ""),
            lambda step=step: scores(step.apply(detector, bench).detector, asked.data, asked.split),
        )
    rows(
        "ONNX Runtime",
        lambda: exported(
            detector,
            calibrated(detector, images, step=Quantize(lose=None)),
            rounds=asked.rounds,
        ),
    )
    if asked.write:
        file = RESULTS / f"quantize-{date.today().isoformat()}.md"
        file.write_text(_text(rows.rows, asked))


def _bench(detector: Detector, asked: argparse.Namespace) -> Workbench:
    source = DataSource(data=asked.data, split_train=asked.split_train, split_val=asked.split)
    folder = RESULTS / "quantize-work"
    folder.mkdir(exist_ok=True)
    return Workbench(
        folder=folder,
        data=open_training_data(source, world=World(), progress=silent, classes=detector.classes),
        settings=replace(read_origin(asked.run).settings, num_workers=0),
        scores_file=folder / "scores.json",
    )


def _text(rows: dict[str, Any], asked: argparse.Namespace) -> str:
    lines = [
        f"# Few bits: {date.today().isoformat()}",
        "",
        f"{asked.run.name} on the {asked.split} split; {platform.machine()}, one thread, a machine "
        "that others used too. Maps are 8 bits in rows of int8 (7-bit weights), float in the rest.",
        "",
        "| held | AP | AP50 | checkpoint kB |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['ap']} | {row['ap50']} | {row['kB']} |"
        for name, row in rows.items()
        if "ap" in row
    ]
    timing = rows.get("ONNX Runtime", {})
    lines += ["", *(f"* {name}: {value}" for name, value in timing.items()), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
