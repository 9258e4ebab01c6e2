"""Write down what a network computes: each operation, where it stands, and whose results it reads.

Functions are seen as the parts' code calls them (`TorchFunctionMode`), so that no part has to be
written for it, nothing is traced, and a part of the user's own is seen as ours are.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from pocketdet.model.evaluation_mode import evaluation_mode

KINDS: Mapping[str, str] = {
    "conv2d": "conv",
    "conv_transpose2d": "deconv",
    "linear": "linear",
    "cat": "cat",
    "concat": "cat",
    "add": "add",
    "radd": "add",
    "iadd": "add",
    "mul": "mul",
    "rmul": "mul",
    "imul": "mul",
    "relu": "relu",
    "relu6": "relu",
    "getitem": "slice",
}
"""Functions by one name each; any other keeps its own."""

INPUT = -1
"""The place of the network's input among the operations."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One call.

    - `name`: the module in which it is called, followed by its kind unless the module has no
      other; `#2` is the second call of that name;
    - `kind`: what it is, as in `KINDS`;
    - `module`: the module's qualified name;
    - `reads`: the operations whose results it reads, `INPUT` for the network's input.
    """

    name: str
    kind: str
    module: str
    reads: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """All operations in order, and for each of the network's outputs which of them made it."""

    operations: tuple[Operation, ...]
    outputs: tuple[int | None, ...]

    def readers(self) -> list[list[int]]:
        """Give, for each operation, those that read it."""
        readers: list[list[int]] = [[] for _ in self.operations]
        for place, operation in enumerate(self.operations):
            for source in operation.reads:
                if source != INPUT:
                    readers[source].append(place)
        return readers


def kind_of(function: Any) -> str | None:
    """Name what a function does; None for what is no computation, as reading a shape."""
    name = getattr(function, "__name__", "")
    if name in ("__get__", "__set__"):
        return None
    name = {"fn": "max_pool2d"}.get(name, name.strip("_"))
    return KINDS.get(name, name)


def is_counted(result: Any) -> bool:
    """Say whether a result is one that belongs to the network: floating point, with a batch."""
    if isinstance(result, tuple | list):
        return any(is_counted(item) for item in result)
    return isinstance(result, Tensor) and result.is_floating_point() and result.dim() > 1


class _Recorder(TorchFunctionMode):
    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.path: list[str] = []
        self.leaves: set[str] = set()
        self.operations: list[Operation] = []
        self.names: Counter[str] = Counter()
        self.made_by: dict[int, int] = {id(images): INPUT}
        self.kept: list[Any] = [images]  # An id is only that of a tensor as long as it lives.

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        reads = tuple(
            self.made_by[id(t)] for t in tensors_in([args, given]) if id(t) in self.made_by
        )
        result = func(*args, **given)
        kind = kind_of(func)
        if kind is not None and is_counted(result):
            place = len(self.operations)
            for tensor in tensors_in(result):
                self.made_by[id(tensor)] = place
            self.kept.append(result)
            self.operations.append(self._operation(kind, reads))
        return result

    def _operation(self, kind: str, reads: tuple[int, ...]) -> Operation:
        module = self.path[-1] if self.path else ""
        name = module if module in self.leaves else f"{module}.{kind}".lstrip(".")
        self.names[name] += 1
        number = self.names[name]
        return Operation(
            name=name if number == 1 else f"{name}#{number}", kind=kind, module=module, reads=reads
        )


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Find the tensors in arguments or results, tuples and lists included."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


@torch.no_grad()
def record(network: nn.Module, images: Tensor) -> Record:
    """Run a network once, in evaluation mode, and give what it computed from `images`.

    The network's forward pass must be its class's own, and its output a tuple of tensors.
    """
    recorder = _Recorder(images)
    handles = _watch_modules(network, recorder)
    try:
        with evaluation_mode(network), recorder:
            outputs = network(images)
    finally:
        for handle in handles:
            handle.remove()
    return Record(
        operations=tuple(recorder.operations),
        outputs=tuple(recorder.made_by.get(id(output)) for output in outputs),
    )


def _watch_modules(network: nn.Module, recorder: _Recorder) -> list[RemovableHandle]:
    handles: list[RemovableHandle] = []
    for name, module in network.named_modules():
        if not any(True for _ in module.children()):
            recorder.leaves.add(name)

        def enter(_module: nn.Module, _args: Any, name: str = name) -> None:
            recorder.path.append(name)

        def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
            recorder.path.pop()

        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(leave))
    return handles
