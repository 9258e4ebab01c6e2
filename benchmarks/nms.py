"""How long class-wise NMS takes for one image of Pelee-SSD: 5,142 priors, 20 and 80 classes.

    python benchmarks/nms.py            # one thread; --threads N for more (times add up)
    python benchmarks/nms.py --write    # also writes benchmarks/results/nms-DATE.md

Three ways run in turns and must give the same boxes: ours; greedy NMS with numpy, one class after
the other; and plain Python, box after box (a few rounds only). All begin with (5142, 4) boxes and
(5142, c) scores and end with the 200 best detections, so choosing candidates is in the time,
which is processor time, so that a busy machine counts little.

Scores: "trained" is a softmax in which background is sure nearly everywhere; "every score" is
above the threshold on boxes that overlap little; "one place" is the worst case: every score is
above the threshold and all boxes lie on one another, so that nothing can end early.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
import os
from pathlib import Path
import platform
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from pocketdet import recipes
from pocketdet.conventions import cxcywh_to_xyxy
from pocketdet.model import build
from pocketdet.model.nms import detect_per_class

SCORE, IOU, PER_CLASS, PER_IMAGE = 0.01, 0.45, 400, 200
Kept = list[tuple[int, int]]
"""(label, prior), best first."""


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    boxes_xyxy: Tensor
    scores: Tensor


def make_cases() -> list[Case]:
    priors = cxcywh_to_xyxy(build(recipes.PELEE, num_classes=1).priors_cxcywh)
    generator = torch.Generator().manual_seed(0)
    moved = priors + torch.randn(priors.shape, generator=generator) * 4
    piled = torch.tensor([50.0, 50, 150, 150]) + torch.randn(priors.shape, generator=generator) * 5
    cases: list[Case] = []
    for num_classes in (20, 80):
        high = 0.02 + 0.98 * torch.rand(len(priors), num_classes, generator=generator)
        trained = trained_scores(len(priors), num_classes, generator)
        for name, boxes, scores in (
            ("trained", moved, trained),
            ("every score", moved, high),
            ("one place", piled, high),
        ):
            cases.append(Case(name=f"{num_classes}, {name}", boxes_xyxy=boxes, scores=scores))
    return cases


def trained_scores(num_priors: int, num_classes: int, generator: torch.Generator) -> Tensor:
    """Make background sure but for 150 priors, and some doubt that grows with the classes."""
    logits = torch.randn(num_priors, 1 + num_classes, generator=generator)
    logits[:, 0] += 7
    hot = torch.randperm(num_priors, generator=generator)[:150]
    logits[hot, torch.randint(1, 1 + num_classes, (150,), generator=generator)] += 8
    return logits.softmax(dim=1)[:, 1:]


def ours(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    return detect_per_class(
        case.boxes_xyxy,
        case.scores,
        score_threshold=SCORE,
        iou_threshold=IOU,
        max_per_class=PER_CLASS,
        max_per_image=PER_IMAGE,
    )


def ours_as_kept(case: Case) -> Kept:
    boxes, _, labels = ours(case)
    places = (boxes[:, None] == case.boxes_xyxy).all(dim=2).float().argmax(dim=1)
    return list(zip(labels.tolist(), places.tolist(), strict=True))


def class_by_class(case: Case, greedy: Callable[[NDArray[Any]], list[int]]) -> Kept:
    """Choose candidates, suppress and merge, with a greedy NMS of boxes that come best first."""
    boxes, scores = case.boxes_xyxy.numpy(), case.scores.numpy()
    survivors: list[tuple[float, int, int]] = []
    for label in range(scores.shape[1]):
        above = np.flatnonzero(scores[:, label] > SCORE)
        best = above[np.argsort(-scores[above, label], kind="stable")][:PER_CLASS]
        survivors += [
            (-float(scores[best[k], label]), label, int(best[k])) for k in greedy(boxes[best])
        ]
    return [(label, prior) for _, label, prior in sorted(survivors)[:PER_IMAGE]]


def numpy_greedy(boxes: NDArray[Any]) -> list[int]:
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.arange(len(boxes))
    kept: list[int] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[left, :2])
        high = np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        left = left[shared / (area[best] + area[left] - shared) <= np.float32(IOU)]
    return kept


def python_greedy(boxes: NDArray[Any]) -> list[int]:
    rows: list[list[float]] = boxes.tolist()
    kept: list[int] = []
    for place, box in enumerate(rows):
        if all(iou(rows[other], box) <= IOU for other in kept):
            kept.append(place)
    return kept


def iou(first: list[float], second: list[float]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (first[2] - first[0]) * (first[3] - first[1])
    area += (second[2] - second[0]) * (second[3] - second[1])
    return width * height / (area - width * height)


def milliseconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return 1e3 * (time.process_time() - start)


def measure(case: Case, rounds: int) -> list[str]:
    """Give a row of the table: candidates, then median / p10 of each way, and ratios of p10."""
    reference = class_by_class(case, numpy_greedy)
    if ours_as_kept(case) != reference:
        raise AssertionError(f"{case.name}: ours and numpy keep different boxes")
    ways: list[tuple[Callable[[], object], int]] = [
        (lambda: ours(case), 1),
        (lambda: class_by_class(case, numpy_greedy), 4),
        (lambda: class_by_class(case, python_greedy), rounds // 2),
    ]
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(rounds):
        for (way, every), taken in zip(ways, times, strict=True):
            if turn % every == 0:
                taken.append(milliseconds(way))
    p10 = [float(np.percentile(taken, 10)) for taken in times]
    cells = [f"{np.median(t):.1f} / {low:.1f}" for t, low in zip(times, p10, strict=True)]
    above = int((case.scores > SCORE).sum())
    return [case.name, f"{above:,}", *cells, f"{p10[1] / p10[0]:.1f}", f"{p10[2] / p10[0]:.0f}"]


def report(rows: list[list[str]], *, threads: int, rounds: int) -> str:
    headings = [
        "classes, scores", "above .01", "ours, ms", "numpy, ms", "Python, ms",
        "numpy : ours", "Python : ours",
    ]  # fmt: skip
    lines = [headings, ["---"] * len(headings), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return (
        f"# NMS of one image, 5,142 priors\n\n`python benchmarks/nms.py --threads {threads} "
        f"--rounds {rounds}`, {date.today()}, {platform.machine()} {os.cpu_count()} cores, "
        f"{processor()}, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}.\n"
        f"Processor time, median / p10 over interleaved rounds; ratios are of p10. "
        f"Score threshold {SCORE}, IoU {IOU}, {PER_CLASS} candidates a class, "
        f"{PER_IMAGE} detections an image.\n\n{table}\n"
    )


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [measure(case, options.rounds) for case in make_cases()]
    text = report(rows, threads=options.threads, rounds=options.rounds)
    print(text)
    if options.write:
        folder = Path(__file__).parent / "results"
        folder.mkdir(exist_ok=True)
        (folder / f"nms-{date.today()}.md").write_text(text)


if __name__ == "__main__":
    main()
