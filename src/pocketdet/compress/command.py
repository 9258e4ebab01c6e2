"""What `pocketdet compress` was asked for, turned into a compression."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketdet.compress.how import read_how
from pocketdet.compress.planning import Plan, Target, read_target
from pocketdet.compress.report import CompressionReport
from pocketdet.compress.run import CompressionRequest, resume_compression, run_compression
from pocketdet.compress.step import Step
from pocketdet.data.progress import Progress


@dataclass(frozen=True, kw_only=True)
class CompressOptions:
    """Options of the command; what is None was not given."""

    run: Path | None = None
    data: str | None = None
    how: Sequence[str] = ()
    target: str | None = None
    lose: float | None = None
    split_train: str | None = None
    split_val: str | None = None
    out: Path | None = None
    name: str | None = None
    runtime: str | None = None
    threads: int | None = None
    seed: int | None = None


def start_or_resume(
    options: CompressOptions, *, resume: Path | None, device: str, progress: Progress
) -> CompressionReport:
    """Compress a detector, or go on with a compression, which has all of its settings already."""
    if resume is None:
        return run_compression(_request(options, device), progress=progress)
    refused = [
        name
        for name in ("run", *[n for n in vars(options) if n not in ("run", "data")])
        if getattr(options, name)
    ]
    if refused:
        raise ValueError(
            "`--resume` goes on with a compression's own steps; only --data and --device can be "
            f"given with it, not {', '.join(refused)}."
        )
    return resume_compression(resume, data=options.data, device=device, progress=progress)


def _request(options: CompressOptions, device: str) -> CompressionRequest:
    if options.run is None:
        raise ValueError("`RUN` must be a run's folder or a checkpoint; it was not given.")
    if options.data is None:
        raise ValueError("`--data` must be a data set's folder, or `digits`; it was not given.")
    target = None if options.target is None else read_target(options.target)
    runtime = options.runtime or (target.runtime if target else None)
    return CompressionRequest(
        run=options.run,
        steps=_steps(options, target),
        data=options.data,
        split_train=options.split_train,
        split_val=options.split_val,
        out=options.out or Path("compressed"),
        name=options.name,
        runtime=runtime or "auto",
        threads=options.threads or 1,
        seed=options.seed or 0,
        device=device,
    )


def _steps(options: CompressOptions, target: Target | None) -> tuple[Step, ...]:
    if target is None:
        if options.lose is not None:
            raise ValueError("`--lose` is the limit of a `--target`; it was given without one.")
        return read_how(options.how)
    if options.how:
        raise ValueError("`--target` finds the steps itself; give it or `--how`, not both.")
    plan = Plan(milliseconds=target.milliseconds)
    return (plan if options.lose is None else replace(plan, lose=options.lose),)
