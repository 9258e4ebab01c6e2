"""An ONNX file with every intermediate result as an output."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.source_line import is_users

Arrays = dict[str, NDArray[Any]]
STACK, SCOPES = "pkg.torch.onnx.stack_trace", "pkg.torch.onnx.name_scopes"


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """A node of the graph, in the order in which it runs."""

    index: int
    kind: str
    where: str
    source: SourceLine | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class OnnxGraph:
    """The file's nodes, and runs of it that give every intermediate result.

    Raises `ValueError` for a file that is no ONNX model or that onnxruntime cannot load.
    """

    def __init__(self, path: Path) -> None:
        onnx, runtime = _libraries()
        try:
            model = onnx.load(str(path))
            onnx.checker.check_model(model)
        except Exception as error:
            raise ValueError(f"{path} is no valid ONNX file: {error}") from error
        initializers = {tensor.name for tensor in model.graph.initializer}
        self.outputs = [value.name for value in model.graph.output]
        self.given = {
            value.name: value for value in model.graph.input if value.name not in initializers
        }
        self.nodes = [_node(index, node) for index, node in enumerate(model.graph.node)]
        self.constants = initializers
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        known = set(self.outputs)
        for node in self.nodes:
            for name in node.outputs:
                if name and name not in known:
                    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        options = runtime.SessionOptions()
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        self.session = runtime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def tensor(self, name: str) -> NDArray[Any] | None:
        """Give a stored tensor by its name, None where there is none of that name."""
        from onnx import numpy_helper

        stored = self._tensors.get(name)
        return None if stored is None else numpy_helper.to_array(stored)

    def run(self, inputs: Arrays) -> Arrays:
        """Give every result by its name."""
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, inputs), strict=True))

    def draw(self, batch: int, sizes: Mapping[str, tuple[int, ...]]) -> Arrays:
        """Draw inputs: uniform in [0, 1], of the file's sizes; open axes as `sizes` says.

        The first axis is the batch where it is open. Raises `ValueError` where another axis is
        open and `sizes` does not say how long it is to be.
        """
        random = np.random.default_rng(0)
        return {
            name: _drawn(value, batch, sizes.get(name) or sizes.get(""), random)
            for name, value in self.given.items()
        }

    @property
    def has_open_batch(self) -> bool:
        """Whether every input takes any number of samples."""
        return all(
            value.type.tensor_type.shape.dim and value.type.tensor_type.shape.dim[0].dim_value == 0
            for value in self.given.values()
        )


def _libraries() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ValueError(
            f"`{error.name}` is needed to examine an ONNX file: pip install onnx onnxruntime."
        ) from error
    return onnx, onnxruntime


def _drawn(
    value: Any, batch: int, sizes: tuple[int, ...] | None, random: np.random.Generator
) -> NDArray[Any]:
    from onnx import helper

    dimensions = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
    shape: list[int] = []
    for axis, length in enumerate(dimensions):
        wanted = sizes[axis] if sizes is not None and axis < len(sizes) else None
        if axis == 0 and length == 0:
            shape.append(batch)
        elif length or wanted:
            shape.append(length or wanted or 1)
        else:
            raise ValueError(
                f"`--input` must say how long axis {axis} of `{value.name}` is, such as --input "
                f"{'x'.join(str(d or 'N') for d in dimensions)}: the file leaves it open."
            )
    kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    if np.issubdtype(kind, np.floating):
        return random.random(shape).astype(kind)
    return random.integers(0, 255 if kind == np.uint8 else 2, shape).astype(kind)


def _node(index: int, node: Any) -> Node:
    from onnx import helper

    notes = {entry.key: entry.value for entry in node.metadata_props}
    return Node(
        index=index,
        kind=node.op_type,
        where=_module(notes.get(SCOPES)) or node.name or (node.output[0] if node.output else ""),
        source=_line(notes.get(STACK)),
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes={a.name: helper.get_attribute_value(a) for a in node.attribute},
    )


def _module(scopes: str | None) -> str:
    """Give the innermost module of torch's own note: its last entry is the operator."""
    if not scopes:
        return ""
    try:
        names = ast.literal_eval(scopes)
    except (SyntaxError, ValueError):
        return ""
    return str(names[-2]) if len(names) > 1 else ""


def _line(stack: str | None) -> SourceLine | None:
    """Give the user's innermost line of torch's own note."""
    found = re.findall(r'File "([^"]+)", line (\d+)', stack or "")
    users = [(path, line) for path, line in found if is_users(path)]
    return SourceLine(users[-1][0], int(users[-1][1])) if users else None
