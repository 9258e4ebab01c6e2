"""A small detector trained with and without a teacher, three seeds each.

    python benchmarks/distill.py TEACHER DATA --out FOLDER --test test [--epochs 20]

The student is the teacher's recipe at half its width, from random weights. The table is
FOLDER/distill.md.
"""

from statistics import mean
from typing import Any

from compressing import FromScratch, Given, arguments, perform, table

SEEDS = (1, 2, 3)
WIDTH = 0.5


def cases(given: Given) -> dict[str, tuple[Any, ...]]:
    teachers = {"alone": None, "taught": str(given.run)}
    return {
        f"{name}-{seed}": (FromScratch(width=WIDTH, epochs=given.epochs, teacher=teacher),)
        for seed in SEEDS
        for name, teacher in teachers.items()
    }


def main() -> None:
    given = arguments(__doc__, epochs=20.0)
    chosen = cases(given)
    rows = perform(chosen, given, seeds={name: int(name[-1]) for name in chosen})
    key = "test" if given.test else "val"
    pairs = [
        (rows[f"alone-{seed}"][key], rows[f"taught-{seed}"][key])
        for seed in SEEDS
        if {f"alone-{seed}", f"taught-{seed}"} <= set(rows)
    ]
    text = table(rows, ("test", "test AP50", "val", "macs", "kB", "ms", "seconds"))
    if pairs:
        gains = [taught - alone for alone, taught in pairs]
        text += f"\nGain in {key} AP by seed: {', '.join(f'{g:+.1f}' for g in gains)}; "
        text += f"mean {mean(gains):+.1f}.\n"
    (given.out / "distill.md").write_text(text)


if __name__ == "__main__":
    main()
