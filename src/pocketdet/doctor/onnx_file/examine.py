"""Run on an ONNX file what can be run on one; everything else is not run, and said to be."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from pocketdet.doctor.check import Check
from pocketdet.doctor.checks import ALL_CHECKS
from pocketdet.doctor.examine import outcome_of, refuse_unknown_checks
from pocketdet.doctor.onnx_file.faults import ONNX_FAULTS, OnnxPatient
from pocketdet.doctor.onnx_file.graph import OnnxGraph
from pocketdet.doctor.report import Outcome, Report, Result

BATCH = 2


def examine_onnx(
    path: Path | str,
    *,
    sizes: Mapping[str, tuple[int, ...]] | None = None,
    allow: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
) -> Report:
    """Examine an exported file with onnxruntime, on drawn inputs.

    - `sizes`: how long the axes are that the file leaves open, by input ("" for any input);
    - `allow`, `only`: as for `examine`.

    A finding's `where` and `source` are those that the exporter noted (torch's does), else the
    node's name. Raises `ValueError` for a file that cannot be loaded or run.
    """
    refuse_unknown_checks(allow, only, ALL_CHECKS)
    start = monotonic()
    graph = OnnxGraph(Path(path))
    inputs = graph.draw(BATCH if graph.has_open_batch else 1, sizes or {})
    patient = OnnxPatient(graph=graph, inputs=inputs, results=graph.run(inputs))
    chosen = [check for check in ALL_CHECKS if only is None or check.id in only]
    results = [_run(check, patient, (allow or {}).get(check.id)) for check in chosen]
    return Report(results=tuple(results), seconds=monotonic() - start)


def _run(check: Check, patient: OnnxPatient, reason: str | None) -> Result:
    find = ONNX_FAULTS.get(check.id)
    if find is None:
        why = "needs the network; an ONNX file shows less"
        return Result(check=check, outcome=Outcome.NOT_RUN, reason=why)
    return outcome_of(check, lambda: find(patient), reason)
