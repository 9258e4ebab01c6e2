"""What `pocketdet evaluate` does: a run, a data set, an evaluation, and files about it."""

from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from pocketdet.conventions import ClassList, Detections, Sample
from pocketdet.data.open import open_dataset
from pocketdet.data.progress import Progress, silent
from pocketdet.data.repair import RepairSummary, repair
from pocketdet.evaluate.class_match import labels_by_name
from pocketdet.evaluate.confusion import confusion_matrix, draw_confusion
from pocketdet.evaluate.contact_sheet import example_sheet
from pocketdet.evaluate.curves import draw_pr_curves
from pocketdet.evaluate.evaluation import Evaluation
from pocketdet.evaluate.exported import evaluate_file
from pocketdet.evaluate.output_file import write_figure, write_picture
from pocketdet.evaluate.run import RunSettings, evaluate_detector
from pocketdet.model.detector import Detector
from pocketdet.predict.output_file import write_bytes
from pocketdet.runtime import Runner, is_exported_file

METRICS, CURVES, CONFUSION, EXAMPLES = (
    "metrics.json",
    "pr_curves.png",
    "confusion.png",
    "examples.png",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluatedRun:
    """An evaluation with what it was made from; labels are places in `classes`."""

    run: str
    data: str
    split: str
    evaluation: Evaluation
    detections: list[Detections]
    samples: list[Sample]
    classes: ClassList
    repairs: RepairSummary

    def to_data(self) -> dict[str, Any]:
        """Give the metrics and where they come from as plain data."""
        origin = {"run": self.run, "data": self.data, "split": self.split}
        return {**origin, "repairs": str(self.repairs), **self.evaluation.to_data()}


def evaluate_run(
    detector: Detector | Runner,
    data: str,
    *,
    split: str = "val",
    settings: RunSettings | None = None,
    progress: Progress = silent,
    run: str = "",
) -> EvaluatedRun:
    """Evaluate a detector, or an exported file, on one split of a data set, given by name or path.

    Bad boxes and images are repaired or left out as in training; `repairs` says how many. Classes
    are matched by name, whatever their order.
    """
    dataset = open_dataset(data)
    samples, repairs = repair(dataset.split(split), dataset.classes, progress=progress)
    samples = labels_by_name(
        samples, data_classes=dataset.classes, detector_classes=detector.classes
    )
    evaluation, detections = _evaluate(detector, samples, settings, progress)
    return EvaluatedRun(
        run=run,
        data=data,
        split=split,
        evaluation=evaluation,
        detections=detections,
        samples=samples,
        classes=detector.classes,
        repairs=repairs,
    )


def _evaluate(
    detector: Detector | Runner,
    samples: list[Sample],
    settings: RunSettings | None,
    progress: Progress,
) -> tuple[Evaluation, list[Detections]]:
    if isinstance(detector, Runner):
        return evaluate_file(detector, samples, settings, progress=progress)
    return evaluate_detector(detector, samples, settings, progress=progress)


def default_folder(run: Path, split: str) -> Path:
    """Give the folder for an evaluation's files: in the run's folder.

    Of an exported file it has the file's name in it, since several may lie side by side.
    """
    if is_exported_file(run):
        return run.parent / f"evaluation-{run.name}-{split}"
    return (run if run.is_dir() else run.parent) / f"evaluation-{split}"


def write_evaluation(folder: Path, evaluated: EvaluatedRun, *, score: float = 0.25) -> None:
    """Write metrics.json, pr_curves.png, confusion.png and examples.png into a folder.

    The confusion matrix and the examples show what scores at least `score`.
    """
    detections, samples, classes = evaluated.detections, evaluated.samples, evaluated.classes
    document = json.dumps(evaluated.to_data(), indent=2, allow_nan=False)
    write_bytes(folder / METRICS, document.encode())
    write_figure(folder / CURVES, draw_pr_curves(evaluated.evaluation))
    counts = confusion_matrix(detections, samples, classes, score=score)
    write_figure(folder / CONFUSION, draw_confusion(counts, classes))
    if samples:
        sheet = example_sheet(detections, samples, classes, score=score)
        write_picture(folder / EXAMPLES, sheet)
