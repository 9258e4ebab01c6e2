"""What `pocketdet bench` does: prepare, measure the CPU, time in turns, compare the two."""

from pathlib import Path
import tempfile

from pocketdet.bench.machine import judge, this_machine
from pocketdet.bench.models import BenchRequest, candidates_of
from pocketdet.bench.report import BenchReport, row_of
from pocketdet.bench.workers import Rounds, measure, measure_rates_apart
from pocketdet.data.progress import Progress, silent


def run_bench(
    request: BenchRequest, plan: Rounds | None = None, *, progress: Progress = silent
) -> BenchReport:
    """Time every candidate; one that cannot run is in the report with its reason."""
    plan = plan or Rounds()
    machine = this_machine()
    if max(request.threads) > machine.num_cores:
        raise ValueError(
            f"`threads` must be at most the cores that may be used, {machine.num_cores}; got "
            f"{max(request.threads)}. More threads than cores are slower, and say nothing."
        )
    with tempfile.TemporaryDirectory() as folder:
        found = candidates_of(request, Path(folder), progress=progress)
        rates = {}
        for place, threads in enumerate(request.threads):
            progress("measuring the CPU", place, len(request.threads))
            rates[threads] = measure_rates_apart(threads)
        progress("measuring the CPU", len(request.threads), len(request.threads))
        measured, others = measure([task for _, task in found], plan, progress=progress)
    rows = tuple(
        row_of(candidate, entry, rates[candidate.threads])
        for (candidate, _), entry in zip(found, measured, strict=True)
    )
    timed = [entry.timing for entry in measured if entry.timing is not None]
    calls = sum(timing.num_calls for timing in timed)
    disturbance = judge(
        timed,
        others_cores=others,
        preempted=sum(entry.preempted for entry in measured) / max(calls, 1),
        num_cores=machine.num_cores,
    )
    return BenchReport(machine=machine, rates=rates, rows=rows, disturbance=disturbance)
