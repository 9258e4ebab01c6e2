"""What `pocketdet doctor` was asked to examine, turned into an examination."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketdet.config_file import find_config
from pocketdet.conventions import Sample
from pocketdet.data.dataset import Traits
from pocketdet.data.open import open_dataset
from pocketdet.data.progress import Progress, silent
from pocketdet.data.repair import repair_dataset
from pocketdet.doctor import Report, examine
from pocketdet.doctor.named_patient import build_named, named_function, parse_inputs, parse_sizes
from pocketdet.doctor.onnx_file import examine_onnx
from pocketdet.evaluate.class_match import labels_by_name
from pocketdet.model import Detector, build
from pocketdet.runs.own_patient import NUM_SAMPLES, own_patient

DEFAULT_CLASSES = 20


@dataclass(frozen=True, kw_only=True)
class ExaminationRequest:
    """One call of the command; what is None was not given.

    - `target`: a recipe, a config file, a run's folder or checkpoint, or `module:name`;
    - `input`, `loss`, `reference`: for somebody else's network;
    - `data`, `split`, `classes`: for our own.
    """

    target: str
    data: str | None = None
    split: str = "train"
    input: str | None = None
    loss: str | None = None
    reference: str | None = None
    classes: int | None = None
    only: Sequence[str] | None = None
    allow: Mapping[str, str] | None = None
    budget_s: float | None = None


def run_examination(request: ExaminationRequest, *, progress: Progress = silent) -> Report:
    """Build the patient, with all that can be told of it, and examine it."""
    if request.target.endswith(".onnx"):
        return _exported(request)
    arguments = _foreign(request) if ":" in request.target else _own(request, progress)
    return examine(
        **arguments,
        only=request.only,
        allow=request.allow,
        budget_s=request.budget_s,
        progress=progress,
    )


def parse_allowed(given: Sequence[str]) -> dict[str, str]:
    """Read `check=reason`, each once."""
    allowed: dict[str, str] = {}
    for text in given:
        check, equals, reason = text.partition("=")
        if not equals or not reason.strip():
            raise ValueError(
                f"`--allow` must be check=reason, such as "
                f"'batch-mixing=minibatch standard deviation, on purpose'; got `{text}`."
            )
        allowed[check.strip()] = reason.strip()
    return allowed


def _exported(request: ExaminationRequest) -> Report:
    for name in ("data", "loss", "reference"):
        if getattr(request, name) is not None:
            raise ValueError(f"`--{name}` is not for an ONNX file, which is examined by itself.")
    sizes = parse_sizes(request.input) if request.input else {}
    return examine_onnx(request.target, sizes=sizes, only=request.only, allow=request.allow)


def _foreign(request: ExaminationRequest) -> dict[str, Any]:
    if request.data is not None:
        raise ValueError(
            "`--data` is for pocketdet's own detectors; for another network its pipeline is given "
            "in Python: `examine(model, inputs, pipeline=DetectionPipeline(...))`."
        )
    if request.input is None:
        raise ValueError(
            "`--input` must say what the network takes, such as --input 2x3x320x320; it was not "
            "given."
        )
    arguments: dict[str, Any] = {
        "model": build_named(request.target),
        "inputs": parse_inputs(request.input),
    }
    if request.loss is not None:
        arguments["training_loss"] = named_function(request.loss, "--loss")
    if request.reference is not None:
        arguments["reference"] = build_named(request.reference)
    return arguments


def _own(request: ExaminationRequest, progress: Progress) -> dict[str, Any]:
    for name in ("input", "loss"):
        if getattr(request, name) is not None:
            raise ValueError(
                f"`--{name}` is for networks named as module:name; {request.target} is one of "
                "pocketdet's own, which has its input and loss already."
            )
    traits, samples, names = Traits(), list[Sample](), None
    if request.data is not None:
        dataset = open_dataset(request.data, progress=progress)
        repaired, _ = repair_dataset(dataset, progress=progress)
        traits, names = dataset.traits, dataset.classes
        samples = [s for s in repaired.split(request.split) if len(s.labels)][:NUM_SAMPLES]
    path = Path(request.target)
    if path.is_dir() or path.suffix == ".pt":
        detector = Detector.load(path)
        if names is not None:
            samples = labels_by_name(samples, data_classes=names, detector_classes=detector.classes)
    else:
        config = find_config(request.target)
        number = None if names is not None else request.classes or DEFAULT_CLASSES
        detector = build(config, classes=names, num_classes=number)
    arguments = own_patient(detector, samples=samples, traits=traits).arguments()
    if request.reference is not None:
        arguments["reference"] = _own_reference(request.reference, detector)
    return arguments


def _own_reference(target: str, detector: Detector) -> Detector:
    path = Path(target)
    if path.is_dir() or path.suffix == ".pt":
        return Detector.load(path)
    return build(find_config(target), classes=detector.classes)
