"""Record a pass with torch's dispatch mode, which sees every operator without tracing."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.utils._python_dispatch import TorchDispatchMode

from pocketdet.doctor.nested import map_tensors, tensors_in
from pocketdet.doctor.source_line import users_line
from pocketdet.doctor.trace.arguments import exchanged, tensors_of
from pocketdet.doctor.trace.graph import Op, Ref, Trace, Value
from pocketdet.doctor.trace.module_names import TORCHS_OWN, hidden_modules, module_names


def record(model: nn.Module, run: Callable[[], Any], *, given: Any = None) -> Trace:
    """Call `run` and record every operator that it runs, inside the model and around it.

    `given` is what the call takes: its tensors become the trace's inputs. Whether gradients are
    recorded, and in which mode the model is, is up to the caller.
    """
    recorder = _Recorder(model)
    inputs = {path: recorder.leaf(tensor, "input", path) for path, tensor in tensors_in(given)}
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with _watching_modules(recorder), _Mode(recorder):
            result = run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    outputs = {path: recorder.value_of(tensor) for path, tensor in tensors_in(result)}
    return Trace(
        ops=recorder.ops,
        inputs=inputs,
        outputs=outputs,
        leaves=[value for value in recorder.leaves if value.consumers or value.kind == "input"],
        result=map_tensors(result, lambda tensor: tensor.detach()),
        called=frozenset(recorder.called),
        kept=tuple(recorder.kept()),
    )


@dataclass
class _Running:
    name: str
    kind: str
    call: int


@dataclass
class _Recorder:
    model: nn.Module
    ops: list[Op] = field(default_factory=list)
    leaves: list[Value] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = module_names(self.model)
        self.running: list[_Running] = []
        self.num_calls = 0
        self.called: set[str] = set()
        self.current: dict[int, Value] = {}  # by id of the tensor object
        self.by_storage: dict[int, list[Tensor]] = {}
        self.alive: list[Tensor] = []
        self.num_slots = 0
        self.known = {id(p): ("parameter", n) for n, p in self._named("named_parameters")}
        self.known |= {id(b): ("buffer", n) for n, b in self._named("named_buffers")}

    def _named(self, what: str) -> Iterator[tuple[str, Tensor]]:
        for path, module in hidden_modules(self.model):
            for name, tensor in getattr(module, what)():
                yield f"{path}.{name}", tensor
        yield from reversed(list(getattr(self.model, what)(remove_duplicate=False)))

    def value_of(self, tensor: Tensor) -> Value:
        """Give the present value of a tensor; one never seen before is a leaf."""
        value = self.current.get(id(tensor))
        if value is None:
            kind, name = self.known.get(id(tensor), ("constant", ""))
            value = self.leaf(tensor, kind, name)
        value.requires_grad = tensor.requires_grad
        return value

    def leaf(self, tensor: Tensor, kind: Any, name: str) -> Value:
        value = self._new(tensor, kind, name, None)
        value.tensor = tensor.detach().clone()
        self.leaves.append(value)
        return value

    def _new(self, tensor: Tensor, kind: Any, name: str, producer: Op | None) -> Value:
        before = self.current.get(id(tensor))
        if before is None:
            self.num_slots += 1
            self.alive.append(tensor)  # so that no other tensor gets its id
            self.by_storage.setdefault(_storage(tensor), []).append(tensor)
        value = Value(
            slot=before.slot if before else self.num_slots,
            shape=tuple(tensor.shape),
            dtype=tensor.dtype,
            kind=kind,
            name=name,
            producer=producer,
        )
        self.current[id(tensor)] = value
        return value

    def kept(self) -> Iterator[Value]:
        """Give the results that modules hold: in attributes, or as buffers that the pass moved."""
        for module in self.model.modules():
            held = [v for name, v in vars(module).items() if name not in TORCHS_OWN]
            for _, tensor in tensors_in([*held, *module.buffers(recurse=False)]):
                value = self.current.get(id(tensor))
                if value is not None and value.producer is not None:
                    yield value

    def add(self, overload: Any, args: Any, kwargs: Any, result: Any, read: list[Value]) -> None:
        running = self.running[-1] if self.running else None
        to_ref: Callable[[Tensor], Ref] = lambda tensor: Ref(self.current[id(tensor)].slot)  # noqa: E731
        op = Op(
            index=len(self.ops),
            name=overload.overloadpacket.__name__,
            overload=overload,
            args=exchanged(args, Tensor, to_ref),
            kwargs=exchanged(kwargs, Tensor, to_ref),
            where=running.name if running else None,
            kind=running.kind if running else "",
            call=running.call if running else 0,
            source=users_line(),
            is_backward=_in_backward(),
        )
        for value in read:
            if op not in value.consumers[-1:]:
                value.consumers.append(op)
        op.inputs = tuple(read)
        op.outputs = tuple(self._new(t, "result", "", op) for t in tensors_of(result))
        if op.is_in_place:
            self._renew_views(op, args, kwargs)
        self.ops.append(op)

    def _renew_views(self, op: Op, args: Any, kwargs: Any) -> None:
        """Make new values of every tensor that shares memory with one written to."""
        made = {value.slot for value in op.outputs}
        for tensor in _written(op.overload, args, kwargs):
            for sharing in self.by_storage.get(_storage(tensor), []):
                before = self.current[id(sharing)]
                if before.slot not in made:
                    made.add(before.slot)
                    if before not in op.inputs:
                        op.inputs = (*op.inputs, before)
                        before.consumers.append(op)
                    op.outputs = (*op.outputs, self._new(sharing, "result", "", op))


class _Mode(TorchDispatchMode):
    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # Looked up before it runs: an operator in place is to be given what it overwrites.
        read = [self.recorder.value_of(tensor) for tensor in tensors_of((args, kwargs))]
        result = func(*args, **kwargs)
        self.recorder.add(func, args, kwargs, result, read)
        return result


@contextmanager
def _watching_modules(recorder: _Recorder) -> Generator[None]:
    def enter(module: nn.Module, args: Any) -> None:
        recorder.num_calls += 1
        name = recorder.names.get(id(module))
        if name is None:
            outer = recorder.running[-1].name if recorder.running else ""
            name = f"{outer}.{type(module).__name__}".strip(".")
        recorder.called.add(name)
        for tensor in tensors_of(args):
            value = recorder.current.get(id(tensor))
            if value is not None:
                value.given_to.append(name)
        recorder.running.append(_Running(name, type(module).__name__, recorder.num_calls))

    def leave(_module: nn.Module, _args: Any, _result: Any) -> None:
        recorder.running.pop()

    hooks = [
        torch_module.register_module_forward_pre_hook(enter),
        torch_module.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _written(overload: Any, args: Any, kwargs: Any) -> Iterator[Tensor]:
    for index, parameter in enumerate(overload._schema.arguments):
        if parameter.alias_info is not None and parameter.alias_info.is_write:
            given = args[index] if index < len(args) else kwargs.get(parameter.name)
            yield from tensors_of(given)


def _in_backward() -> bool:
    node: Any = torch._C._current_autograd_node()  # pyright: ignore[reportPrivateUsage]
    return node is not None


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]
    except (NotImplementedError, RuntimeError):
        return id(tensor)
