"""What each choice of a backbone part costs: PELEE at 304×304 with that one part exchanged.

    python benchmarks/backbone_parts.py            # one thread; --rounds N for steadier figures
    python benchmarks/backbone_parts.py --write    # also a file in benchmarks/results

Parameters and multiply-accumulates are of the detector with batch norm folded, 20 classes. Time
is processor time of one picture in evaluation mode on one thread; all detectors take turns, so
that a busy machine counts little. Stages other than Pelee's own give 128, 256, 512 and 704
channels, as Pelee's do, or as near as their definition allows.
"""

import argparse
from dataclasses import dataclass, replace
from datetime import date
import os
from pathlib import Path
import platform
import time

import torch

from pocketdet import recipes
from pocketdet.model import (
    CSPDense,
    DenseStage,
    Detector,
    DetectorConfig,
    Ghost,
    InvertedResidual,
    RandWire,
    RepVGG,
    WattsStrogatz,
    build,
)
from pocketdet.model.activation import ACTIVATIONS
from pocketdet.model.conv import CONVS
from pocketdet.model.cost import count_macs, count_parameters
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.norm import NORMS
from pocketdet.model.stem import STEMS

WIDTHS, STRIDES, LAYERS = (128, 256, 512, 704), (1, 2, 2, 2), (3, 4, 8, 6)


@dataclass(frozen=True, kw_only=True)
class Measured:
    part: str
    choice: str
    parameters: int
    macs: int
    median_ms: float
    tenth_ms: float


def configs() -> dict[tuple[str, str], DetectorConfig]:
    base = recipes.PELEE
    found = {("stem", kind.__name__): replace(base, stem=kind()) for kind in STEMS}
    for name, stages in stage_choices().items():
        found["stages", name] = replace(base, stages=stages)
    for field, kinds in (("conv", CONVS), ("norm", NORMS), ("activation", ACTIVATIONS)):
        for kind in kinds:
            found[field, kind.__name__] = replace(base, **{field: kind()})
    return found


def stage_choices() -> dict[str, tuple]:
    columns = list(zip(WIDTHS, STRIDES, LAYERS, strict=True))
    return {
        "TwoWayDense (Pelee)": recipes.PELEE.stages,
        "DenseStage, 3-4-8-6 layers": tuple(
            DenseStage(num_layers=n, compression=1.0, stride=s) for _, s, n in columns
        ),
        "CSPDense, 3-4-8-6 layers": tuple(CSPDense(num_layers=n, stride=s) for _, s, n in columns),
        "InvertedResidual, expansion 3": tuple(
            InvertedResidual(channels=c, stride=s, expansion=3) for c, s, _ in columns
        ),
        "Ghost, expansion 3": tuple(Ghost(channels=c, stride=s) for c, s, _ in columns),
        "RepVGG, 1 layer": tuple(RepVGG(channels=c, stride=s) for c, s, _ in columns),
        "RandWire, 8 nodes": tuple(
            RandWire(channels=c, stride=s, graph=WattsStrogatz(num_nodes=8)) for c, s, _ in columns
        ),
    }


@torch.inference_mode()
def measure(rounds: int) -> list[Measured]:
    torch.manual_seed(0)
    images = torch.randn(1, 3, 304, 304)
    detectors = {
        name: fold_batch_norm(build(config, num_classes=20)) for name, config in configs().items()
    }
    times: dict[tuple[str, str], list[float]] = {name: [] for name in detectors}
    for detector in detectors.values():
        one_time(detector, images)
    for _ in range(rounds):
        for name, detector in detectors.items():
            times[name].append(one_time(detector, images))
    return [
        Measured(
            part=part,
            choice=choice,
            parameters=count_parameters(detector),
            macs=count_macs(detector, images),
            median_ms=sorted(times[part, choice])[rounds // 2],
            tenth_ms=sorted(times[part, choice])[rounds // 10],
        )
        for (part, choice), detector in detectors.items()
    ]


def one_time(detector: Detector, images: torch.Tensor) -> float:
    begin = time.process_time()
    detector(images)
    return (time.process_time() - begin) * 1000


def table(rows: list[Measured]) -> str:
    lines = [
        "| part | choice | parameters, M | MACs, M | ms, median / p10 |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.part} | {row.choice} | {row.parameters / 1e6:.2f} | {row.macs / 1e6:,.0f} "
        f"| {row.median_ms:.0f} / {row.tenth_ms:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    text = (
        "# What each choice of a backbone part costs\n\n"
        f"`python benchmarks/backbone_parts.py --rounds {given.rounds}`, {date.today()}, "
        f"{platform.machine()} {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"torch {torch.__version__}.\n"
        "PELEE at 304×304, 20 classes, batch norm folded, one part exchanged; processor time of "
        "one picture on one thread, all detectors in turns.\n\n" + table(measure(given.rounds))
    )
    print(text)
    if given.write:
        folder = Path(__file__).parent / "results"
        (folder / f"backbone_parts-{date.today()}.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
