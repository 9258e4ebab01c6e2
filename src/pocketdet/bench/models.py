"""What the models of a bench are: runs, checkpoints, recipes, config files, exported files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from pocketdet.bench.layer_cost import LayerCost
from pocketdet.bench.onnx_layers import onnx_layers
from pocketdet.bench.openvino_layers import openvino_layers
from pocketdet.bench.precision import card_of_file, precision_of
from pocketdet.bench.report import Candidate
from pocketdet.bench.torch_layers import torch_layers
from pocketdet.bench.worker import WorkerTask
from pocketdet.config_file import find_config
from pocketdet.data.progress import Progress, silent
from pocketdet.export.raw_network import RawNetwork, raw_network_as_onnx
from pocketdet.model import Detector, build
from pocketdet.model.fold import fold_batch_norm
from pocketdet.model.saved_detector import detector_to_data

Size = tuple[int, int]
RUNTIMES_OF = {
    ".onnx": ("onnxruntime", "openvino"),
    ".xml": ("openvino",),
    ".param": ("ncnn",),
    ".tflite": ("litert",),
    ".pt2": ("torch",),
    ".pte": ("executorch",),
}
TORCH_WAYS = ("eager", "folded")
WAYS = (*TORCH_WAYS, *dict.fromkeys(way for ways in RUNTIMES_OF.values() for way in ways))
MODULES = {"litert": "ai_edge_litert"}
"""Of ways that are not called as their Python package."""
RANDOM = "random weights"


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """What is to be timed: every model, on every way that can run it, at every size.

    - `models`: runs, checkpoints, recipes, config files or exported files;
    - `ways`: of `WAYS`, those that are wanted; one that is not installed is left out where
      `ways` is all of them, and refused where it was named;
    - `sizes`: (height, width) in pixels, none for each model's own; `threads`: numbers of them.
    """

    models: tuple[str, ...]
    ways: tuple[str, ...] = WAYS
    sizes: tuple[Size, ...] = ()
    threads: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        for way in self.ways:
            if way not in WAYS:
                raise ValueError(f"`runtimes` must be of {', '.join(WAYS)}, or all; got {way!r}.")
            if self.ways != WAYS and not _is_installed(way):
                raise ValueError(f"`{way}` is not installed: pip install 'pocketdet[{way}]'.")
        if not self.models:
            raise ValueError("`models` must name at least one model; got none.")
        if any(number < 1 for number in self.threads):
            raise ValueError(f"`threads` must be at least 1; got {list(self.threads)}.")

    def can(self, way: str) -> bool:
        """Say whether a way is wanted, and can be gone here."""
        return way in self.ways and _is_installed(way)


def _is_installed(way: str) -> bool:
    return way in TORCH_WAYS or find_spec(MODULES.get(way, way)) is not None


def candidates_of(
    request: BenchRequest, folder: Path, *, progress: Progress = silent
) -> list[tuple[Candidate, WorkerTask]]:
    """Give everything that is to be timed; what has to be written for it goes into `folder`."""
    found: list[tuple[Candidate, WorkerTask]] = []
    for place, model in enumerate(request.models):
        progress("preparing", place, len(request.models))
        if Path(model).suffix in RUNTIMES_OF:
            found += _of_named_file(model, request)
        else:
            found += _of_detector(model, request, folder / str(place))
    progress("preparing", len(request.models), len(request.models))
    if not found:
        raise ValueError(
            f"`runtimes` must run at least one of the models; {', '.join(request.ways)} "
            "cannot, or are not installed."
        )
    return found


def _of_named_file(model: str, request: BenchRequest) -> list[tuple[Candidate, WorkerTask]]:
    """Give a file's candidates; one that nothing here can run is refused, never left out."""
    path = Path(model)
    if not path.is_file():
        raise ValueError(f"`{model}` must be an exported file; there is no such file.")
    ways = RUNTIMES_OF[path.suffix]
    if not any(_is_installed(way) for way in ways):
        raise ValueError(
            f"`{model}` needs `{ways[0]}` to be timed, which is not installed: "
            f"pip install 'pocketdet[{ways[0]}]'."
        )
    if not any(request.can(way) for way in ways):
        raise ValueError(f"`runtimes` must have one that runs `{model}`: {' or '.join(ways)}.")
    try:
        return list(_of_file(model, request))
    except ValueError:
        raise
    except Exception as error:  # The reader of each format has exceptions of its own.
        said = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise ValueError(
            f"`{model}` cannot be read: it is damaged, or no {path.suffix} file ({said})."
        ) from error


def _of_file(model: str, request: BenchRequest) -> Iterator[tuple[Candidate, WorkerTask]]:
    path = Path(model)
    for size in request.sizes or (_own_size(path),):
        candidate = Candidate(
            model=model,
            precision=precision_of(path),
            height=size[0],
            width=size[1],
            layers=_layers_of(path, (1, 3, *size)),
        )
        for way in filter(request.can, RUNTIMES_OF[path.suffix]):
            yield from _on_threads(replace(candidate, way=way), path, request)


def _of_detector(
    model: str, request: BenchRequest, folder: Path
) -> Iterator[tuple[Candidate, WorkerTask]]:
    folder.mkdir(parents=True)
    base, note = _detector(model)
    for size in request.sizes or ((base.contract.height, base.contract.width),):
        detector = _at_size(base, size)
        checkpoint = folder / f"{size[0]}x{size[1]}.pt"
        torch.save(detector_to_data(detector), checkpoint)
        folded = fold_batch_norm(detector)
        candidate = Candidate(
            model=model,
            height=size[0],
            width=size[1],
            layers=torch_layers(folded, torch.zeros(1, 3, *size)),
            note=note,
        )
        for way in filter(request.can, TORCH_WAYS):
            yield from _on_threads(replace(candidate, way=way), checkpoint, request)
        if any(request.can(way) for way in RUNTIMES_OF[".onnx"]):
            file = write_plain_onnx(folded, checkpoint.with_suffix(".onnx"), size)
            for way in filter(request.can, RUNTIMES_OF[".onnx"]):
                yield from _on_threads(replace(candidate, way=way), file, request)


def _on_threads(
    base: Candidate, path: Path, request: BenchRequest
) -> Iterator[tuple[Candidate, WorkerTask]]:
    """Repeat a candidate for every number of threads, with what its worker is to load."""
    size = sum(part.stat().st_size for part in _parts_of(path))
    for threads in request.threads:
        candidate = replace(base, threads=threads, file_bytes=size)
        task = WorkerTask(
            way=base.way, path=str(path), threads=threads, height=base.height, width=base.width
        )
        yield candidate, task


def write_plain_onnx(detector: Detector, path: Path, size: Size) -> Path:
    """Write the network alone, from the normalised input to raw outputs, for timing only."""
    inputs = torch.zeros(1, 3, *size)
    path.write_bytes(raw_network_as_onnx(RawNetwork(detector).eval(), inputs))
    return path


def _detector(model: str) -> tuple[Detector, str]:
    path = Path(model)
    if path.is_dir() or path.suffix == ".pt":
        return Detector.load(path), ""
    torch.manual_seed(0)
    return build(find_config(model), num_classes=20).eval(), RANDOM


def _at_size(detector: Detector, size: Size) -> Detector:
    contract = replace(detector.contract, height=size[0], width=size[1])
    if contract == detector.contract:
        return detector
    changed = build(replace(detector.config, input=contract), classes=detector.classes)
    changed.load_state_dict(detector.state_dict())
    return changed.eval()


def _own_size(path: Path) -> Size:
    shape: Sequence[object]
    card = card_of_file(path)
    if card is not None:
        return card.contract.height, card.contract.width
    if path.suffix == ".onnx":
        import onnx

        given = onnx.load(str(path), load_external_data=False).graph.input[0]
        shape = [axis.dim_value for axis in given.type.tensor_type.shape.dim]
    elif path.suffix == ".xml":
        import openvino

        partial = openvino.Core().read_model(str(path)).input(0).get_partial_shape()
        shape = [axis.get_length() if axis.is_static else 0 for axis in partial]
    elif path.suffix == ".tflite" and _is_installed("litert"):
        litert: Any = import_module("ai_edge_litert.interpreter")
        shape = litert.Interpreter(model_path=str(path)).get_input_details()[0]["shape"].tolist()
    else:
        shape = ()
    if len(shape) != 4 or not all(isinstance(axis, int) and axis > 0 for axis in shape[2:]):
        raise ValueError(f"`sizes` must be given for {path}: the file does not say its own.")
    return int(str(shape[2])), int(str(shape[3]))


def _layers_of(path: Path, shape: tuple[int, ...]) -> tuple[LayerCost, ...]:
    """Read the layers of a file's graph; none where nothing here can."""
    if path.suffix == ".onnx":
        return onnx_layers(path, input_shape=shape)
    if path.suffix == ".xml" and _is_installed("openvino"):
        return openvino_layers(path, input_shape=shape)
    return ()


def _parts_of(path: Path) -> list[Path]:
    weights = path.with_suffix(".bin") if path.suffix in (".xml", ".param") else None
    beside = path.with_name(path.name + ".data")
    return [p for p in (path, weights, beside) if p is not None and p.is_file()]
