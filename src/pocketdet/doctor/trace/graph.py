"""The graph of a recorded pass."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from pocketdet.doctor.finding import SourceLine

SHAPED_LIKE = frozenset(
    {
        "new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided", "zeros_like",
        "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like",
    }
)  # fmt: skip

Kind = Literal["input", "parameter", "buffer", "constant", "result"]


@dataclass(eq=False)
class Value:
    """A tensor at one moment of the pass; an operator in place makes a new value.

    - `slot`: the tensor object that holds it, the same number before and after;
    - `kind`, `name`: what it is where no operator made it, such as `parameter` `head.weight`;
    - `producer`: the operator that made it, None for what was there before;
    - `consumers`: the operators that read it;
    - `tensor`: kept for what was there before (a detached copy), None for results;
    - `requires_grad`: whether autograd followed it when an operator last read it, or at the end;
    - `given_to`: the modules that were called with it, the innermost last.
    """

    slot: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    kind: Kind
    name: str = ""
    producer: "Op | None" = None
    consumers: list["Op"] = field(default_factory=list)
    tensor: Tensor | None = None
    requires_grad: bool = False
    given_to: list[str] = field(default_factory=list[str])

    @property
    def is_float(self) -> bool:
        return self.dtype.is_floating_point

    @property
    def numel(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


@dataclass(frozen=True)
class Ref:
    """Stands for a tensor among an operator's recorded arguments."""

    slot: int


@dataclass(eq=False)
class Op:
    """One operator of the pass, at ATen's level.

    - `name`: ATen's name without overload, such as `_softmax` or `convolution`;
    - `args`, `kwargs`: as called, with a `Ref` for each tensor;
    - `inputs`, `outputs`: the values read and made (an operator in place makes what it read);
    - `where`: the innermost module's qualified name, "" for the model itself, None outside of
      the model, as in a loss; `kind`: that module's class name; `call`: which call of a module
      this is, counted over the whole pass;
    - `source`: the user's line; `is_backward`: whether it ran in the backward pass.
    """

    index: int
    name: str
    overload: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    where: str | None = None
    kind: str = ""
    call: int = 0
    source: SourceLine | None = None
    is_backward: bool = False

    @property
    def is_view(self) -> bool:
        """Whether the result only looks at the operand's memory."""
        return any(
            result.alias_info is not None and not result.alias_info.is_write
            for result in self.overload._schema.returns
        )

    @property
    def is_in_place(self) -> bool:
        return bool(self.overload._schema.is_mutable)

    @property
    def reads_shape_only(self) -> bool:
        """Whether it asks its operand for shape and type, and not for what is in it."""
        return self.name in SHAPED_LIKE

    @property
    def is_random(self) -> bool:
        """Whether it draws numbers: an attention that could drop out, and does not, draws none."""
        if torch.Tag.nondeterministic_seeded not in self.overload.tags:
            return False
        names = [parameter.name for parameter in self.overload._schema.arguments]
        return "dropout_p" not in names or float(self.argument("dropout_p")) > 0

    def argument(self, name: str) -> Any:
        """Give an argument by its name in ATen's schema, with its default where not given."""
        for index, parameter in enumerate(self.overload._schema.arguments):
            if parameter.name == name:
                if name in self.kwargs:
                    return self.kwargs[name]
                return self.args[index] if index < len(self.args) else parameter.default_value
        raise KeyError(f"{self.name} has no argument `{name}`")

    def input_named(self, name: str) -> Value | None:
        """Give the value that an argument of this name holds, None where it holds no tensor."""
        given = self.argument(name)
        if not isinstance(given, Ref):
            return None
        return next((value for value in self.inputs if value.slot == given.slot), None)

    def __repr__(self) -> str:
        shapes = ", ".join("×".join(map(str, value.shape)) for value in self.inputs)
        return f"<{self.index} {self.name}({shapes}) in {self.where!r} {self.source}>"


@dataclass(eq=False)
class Trace:
    """A recorded pass.

    - `ops`: in the order in which they ran;
    - `inputs`: path in the given inputs to value; `outputs`: path in what came back to value;
    - `leaves`: all values that were there before: inputs, parameters, buffers, constants;
    - `result`: what the call gave back, with its tensors (detached);
    - `called`: the modules that ran; `kept`: results that a module holds, in an attribute or as a
      buffer.
    """

    ops: list[Op]
    inputs: dict[str, Value]
    outputs: dict[str, Value]
    leaves: list[Value]
    result: Any
    called: frozenset[str] = frozenset()
    kept: tuple[Value, ...] = ()

    @property
    def forward_ops(self) -> list[Op]:
        return [op for op in self.ops if not op.is_backward]

    def named(self, *names: str) -> Iterator[Op]:
        """Give the forward operators with one of these ATen names."""
        return (op for op in self.ops if op.name in names and not op.is_backward)

    def leads_to(self, targets: list[Value]) -> set[int]:
        """Give the indices of all operators that some of these values depend on."""
        reached: set[int] = set()
        waiting = [value.producer for value in targets if value.producer is not None]
        while waiting:
            op = waiting.pop()
            if op.index in reached:
                continue
            reached.add(op.index)
            if not op.reads_shape_only:
                waiting.extend(v.producer for v in op.inputs if v.producer is not None)
        return reached

    def follows_from(self, sources: list[Value]) -> set[int]:
        """Give the indices of all operators that depend on some of these values."""
        reached: set[int] = set()
        waiting = [op for value in sources for op in value.consumers]
        while waiting:
            op = waiting.pop()
            if op.index in reached or op.reads_shape_only:
                continue
            reached.add(op.index)
            waiting.extend(consumer for value in op.outputs for consumer in value.consumers)
        return reached

    def parameters_behind(self, value: Value) -> set[str]:
        """Name the parameters that a value depends on."""
        reached = self.leads_to([value])
        names = {v.name for v in [value] if v.kind == "parameter"}
        for op in (self.ops[index] for index in reached):
            if not op.reads_shape_only:
                names |= {v.name for v in op.inputs if v.kind == "parameter"}
        return names
