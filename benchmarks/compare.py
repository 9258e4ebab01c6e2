"""How often `pocketdet compare` is right: with trainings of one config, and with a known truth.

    python benchmarks/compare.py --train 48 --store runs/calibration   # trains what is missing
    python benchmarks/compare.py --store runs/calibration              # counts, and prints

Many cheap trainings of one network, each with its own seed, are stored once. Then 2 × N of them are
drawn at random, called A and B, and compared as the command does, look by look: whatever
difference is claimed is wrong. The same with a difference planted in B shows how often it is found.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
import platform
import sys

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nct, norm
from scipy.stats import t as student
import torch

from pocketdet.compare.interval import Difference, difference_of
from pocketdet.compare.looks import look_levels
from pocketdet.compare.measured import Measurer
from pocketdet.compare.verdict import FEWEST_TO_GIVE_UP, HOPELESS, why_to_stop
from pocketdet.conventions import InputContract
from pocketdet.data.augment.settings import NO_AUGMENT
from pocketdet.model import BatchNorm, DetectorConfig, ExtraConvs, PeleeHead, PeleeStem, TwoWayDense
from pocketdet.model.priors import prior_ladder
from pocketdet.runs.data import DataSource
from pocketdet.train.settings import TrainSettings
from pocketdet.trial import Steps, Trial, open_trial_data, run_trial

sys.path.insert(0, str(Path(__file__).resolve().parent))
from squares import write_squares

CONFIG = DetectorConfig(
    input=InputContract(height=64, width=64),
    stem=PeleeStem(channels=8),
    stages=(TwoWayDense(num_layers=2, growth=8, bottleneck_width=1),) * 2,
    levels_from=(0, 1),
    extras=(ExtraConvs(hidden=8, channels=16, norm=BatchNorm()),),
    head=PeleeHead(channels=16, priors=prior_ladder((0, 1, 2), (0.12, 0.3, 0.55, 0.9))),
)
NUM_TRAIN, NUM_VAL = 200, 100
SEEDS = (3, 5, 8)

NUM_DRAWS = 40_000
Shape = tuple[int, int]
Draws = Callable[[np.random.Generator, Shape], NDArray[np.float64]]
DRAWS: dict[str, Draws] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "uniform": lambda rng, n: rng.random(n),
    "heavy tails (t, 2 degrees of freedom)": lambda rng, n: rng.standard_t(2, n),
    "skewed (log-normal)": lambda rng, n: np.exp(rng.standard_normal(n)),
    "two clusters, 10 spreads apart": lambda rng, n: (
        (rng.random(n) < 0.5) + 0.1 * rng.standard_normal(n)
    ),
    "two clusters, 50 spreads apart": lambda rng, n: (
        (rng.random(n) < 0.5) + 0.02 * rng.standard_normal(n)
    ),
    "one in seven fails": lambda rng, n: (rng.random(n) < 1 / 7) + 0.1 * rng.standard_normal(n),
}
"""What AP over seeds may look like, in any unit."""
STEPS = Steps(total=150)


@dataclass(frozen=True)
class Runs:
    """AP in points of every stored training, here and on each resample of the images."""

    ap: NDArray[np.float64]
    resampled: NDArray[np.float64]
    num_images: int


def stored_runs(folder: Path, number: int) -> Runs:
    source = DataSource(data=str(folder / "squares"))
    if not (folder / "squares").is_dir():
        write_squares(folder / "squares", num_train=NUM_TRAIN, num_val=NUM_VAL)
    data = open_trial_data(source)
    measure = Measurer(data.data.val, data.data.classes)
    ap, resampled = [], []
    for seed in range(number):
        settings = TrainSettings(
            batch_size=4,
            learning_rate=0.01,
            ema_decay=0.9,
            seed=seed,
            num_workers=0,
            augmentation=NO_AUGMENT,
        )
        trial = Trial(config=CONFIG, source=source, settings=settings, steps=STEPS)
        result = run_trial(trial, folder=folder / "trials", data=data, device="cpu")
        figure = measure(result).figures()["AP"]
        ap.append(figure[0])
        resampled.append(figure[1])
        print(f"seed {seed}: AP {figure[0]:.2f} in {result.seconds:.1f} s", flush=True)
    return Runs(np.array(ap), np.stack(resampled, axis=1), len(data.data.val))


def compared(
    by_seed: NDArray[np.float64], resampled: NDArray[np.float64], *, num_images: int
) -> Difference:
    """Look after each seed as the command does, and give the difference at the last look."""
    num_seeds = len(by_seed)
    found = None
    levels = look_levels(num_seeds)
    for k, level in levels.items():
        found = difference_of(by_seed[:k], resampled[:, :k], num_images=num_images, level=level)
        if why_to_stop(found, num_seeds=num_seeds, final_level=levels[num_seeds], size=None):
            break
    assert found is not None
    return found


def claims_of_pairs(
    runs: Runs, *, num_seeds: int, planted: float, repeats: int
) -> tuple[float, float]:
    """Give how often a difference is claimed, and the mean number of seeds that it took."""
    rng = np.random.default_rng(0)
    claims, seeds = 0, 0
    for _ in range(repeats):
        chosen = rng.permutation(len(runs.ap))[: 2 * num_seeds]
        a, b = chosen[:num_seeds], chosen[num_seeds:]
        found = compared(
            runs.ap[b] - runs.ap[a] + planted,
            runs.resampled[:, b] - runs.resampled[:, a] + planted,
            num_images=runs.num_images,
        )
        claims += found.is_shown
        seeds += found.num_seeds
    return claims / repeats, seeds / repeats


def claims_of_draws(kind: str, *, num_seeds: int, planted: float, repeats: int) -> float:
    """Give how often the same rule claims a difference of two configs with draws as AP.

    All comparisons at once: without images the interval is the paired t interval of each look.
    """
    rng = np.random.default_rng(1)
    a, b = (DRAWS[kind](rng, (repeats, num_seeds)) for _ in range(2))
    by_seed = b - a + planted
    levels = look_levels(num_seeds)
    going_on, claimed = np.ones(repeats, bool), np.zeros(repeats, bool)
    for k, level in levels.items():
        mean = by_seed[:, :k].mean(axis=1)
        spread = np.maximum(by_seed[:, :k].std(axis=1, ddof=1), 1e-12)
        shown = going_on & (np.abs(mean) > student.isf(level / 2, k - 1) * spread / np.sqrt(k))
        claimed |= shown
        going_on &= ~shown
        if FEWEST_TO_GIVE_UP <= k < num_seeds:
            final = student.isf(levels[num_seeds] / 2, num_seeds - 1) * spread / np.sqrt(num_seeds)
            ahead = spread * np.sqrt(1 / k - 1 / num_seeds)
            chance = norm.sf((final - mean) / ahead) + norm.cdf((-final - mean) / ahead)
            going_on &= chance >= HOPELESS
    return float(claimed.mean())


def coverage(*, num_seeds: int, of_images: float, repeats: int) -> float:
    """Give how often a 95 % interval holds the truth, which is 0: one look at `num_seeds`."""
    rng = np.random.default_rng(2)
    number, held = 100, 0
    for _ in range(repeats):
        seeds = rng.standard_normal(num_seeds)
        images = of_images * np.sqrt(number) * rng.standard_normal(number)
        weights = rng.multinomial(number, [1 / number] * number, size=300)
        by_image = (weights @ images / number)[:, None]
        found = difference_of(seeds + images.mean(), seeds[None, :] + by_image, num_images=number)
        held += found.low <= 0 <= found.high
    return held / repeats


def report(runs: Runs, *, repeats: int) -> str:
    spread = float(np.std(runs.ap, ddof=1))
    lines = [
        f"# Calibration of compare, {datetime.now(UTC).date()}",
        "",
        f"{platform.machine()}, torch {torch.__version__}; a shared machine, no timings. "
        f"{len(runs.ap)} trainings of a small Pelee, 64×64, {STEPS.total} steps on {NUM_TRAIN} "
        f"pictures of squares, AP {runs.ap.mean():.2f} ± {spread:.2f} on {runs.num_images} images. "
        f"{repeats} random pairings for each number.",
        "",
        "| most seeds | itself: no difference | planted 2 SE: found | the same, normal numbers | "
        "fixed-n t test at 2 SE | mean seeds, itself |",
        "|---|---|---|---|---|---|",
    ]
    for num_seeds in SEEDS:
        if 2 * num_seeds > len(runs.ap):
            continue  # Too few trainings are stored for a pair of so many seeds.
        error = np.sqrt(2) * spread / np.sqrt(num_seeds)
        wrong, seeds = claims_of_pairs(runs, num_seeds=num_seeds, planted=0.0, repeats=repeats)
        found, _ = claims_of_pairs(runs, num_seeds=num_seeds, planted=2 * error, repeats=repeats)
        expected = claims_of_draws(
            "normal", num_seeds=num_seeds, planted=2 * np.sqrt(2 / num_seeds), repeats=NUM_DRAWS
        )
        bound = student.isf(0.025, num_seeds - 1)
        fixed = float(nct.sf(bound, num_seeds - 1, 2) + nct.cdf(-bound, num_seeds - 1, 2))
        lines.append(
            f"| {num_seeds} | {100 * (1 - wrong):.1f} % | {100 * found:.1f} % | "
            f"{100 * expected:.1f} % | {100 * fixed:.1f} % | {seeds:.2f} |"
        )
    lines += [
        "",
        f"A config beside itself, {NUM_DRAWS:,} made-up comparisons each: no difference claimed in",
        "",
        f"| AP over seeds | {' | '.join(f'{n} seeds' for n in SEEDS)} |",
        f"|---|{'---|' * len(SEEDS)}",
    ]
    for kind in DRAWS:
        right = [
            1 - claims_of_draws(kind, num_seeds=n, planted=0.0, repeats=NUM_DRAWS) for n in SEEDS
        ]
        lines.append(f"| {kind} | {' | '.join(f'{100 * share:.1f} %' for share in right)} |")
    lines += [
        "",
        "Coverage of the 95 % interval where the truth is known (spread over seeds 1; spread of "
        "the mean over images in the first column):",
        "",
        "| images | 2 seeds | 3 seeds | 5 seeds | 10 seeds |",
        "|---|---|---|---|---|",
    ]
    for of_images in (0.0, 0.3, 1.0, 3.0):
        held = [
            f"{100 * coverage(num_seeds=k, of_images=of_images, repeats=repeats // 2):.1f} %"
            for k in (2, 3, 5, 10)
        ]
        lines.append(f"| {of_images:g} | {' | '.join(held)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=48, help="trainings in the store")
    parser.add_argument("--store", type=Path, default=Path("runs/calibration"))
    parser.add_argument("--repeats", type=int, default=2000)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    text = report(stored_runs(options.store, options.train), repeats=options.repeats)
    print(text)
    today = datetime.now(UTC).date()
    path = Path(__file__).parent / "results" / f"compare-{today}.md"
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
