"""Write frozen dataclasses as plain data and read them back, with choices stated by name.

A choice is stated by its class name (`CBAM`), by its name and what differs from its defaults
(`{CBAM: {reduction: 8}}`), or, for one of the user's own, by its import path
(`my_parts:SpatialGate`).
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pocketdet.model.nearest_name import known_name
from pocketdet.model.own_code import import_own


@dataclass(frozen=True, kw_only=True)
class PlainData:
    """How dataclasses are written down.

    - `choices`: for each protocol that a field can be of, the classes that have a name of their
      own;
    - `method`: what a class of the user's own must have to be such a choice;
    - `other_names`: what people call some choices; written is the class's own name.
    """

    choices: Mapping[Any, tuple[type, ...]]
    method: str = "build"
    other_names: Mapping[str, str] = field(default_factory=dict[str, str])

    def write_fields(self, value: Any) -> dict[str, Any]:
        """Write every field of a dataclass out, so that later defaults change nothing saved."""
        hints = get_type_hints(type(value))
        return {f.name: self.write(getattr(value, f.name), hints[f.name]) for f in fields(value)}

    def write(self, value: Any, expected: Any) -> Any:
        """Write a value of a field whose type is `expected`."""
        expected = _member_for(value, expected)
        if isinstance(value, tuple):
            inner = get_args(expected)
            return [self.write(item, inner[0] if inner else None) for item in value]
        if isinstance(value, Mapping):
            return {str(name): self.write(item, None) for name, item in value.items()}
        if not is_dataclass(value):
            return value
        parts = self.write_fields(value)
        return {self._name_of(type(value), expected): parts} if expected in self.choices else parts

    def _name_of(self, kind: type, expected: Any) -> str:
        is_named = kind in self.choices[expected]
        return kind.__name__ if is_named else f"{kind.__module__}:{kind.__qualname__}"

    def read(self, data: Any, expected: Any, base: Any, where: str) -> Any:
        """Read what `write` wrote, or only what differs from `base`, if that is not None.

        `where` names the place for errors, which are `ValueError` with the nearest valid name.
        """
        expected = _member_for(data, expected)
        if expected is NoneType:
            return None
        if expected in self.choices:
            return self._read_choice(data, expected, base, where)
        if get_origin(expected) is tuple:
            return self._read_tuple(data, expected, where)
        if get_origin(expected) is Mapping:
            return self._read_mapping(data, expected, where)
        if is_dataclass(expected):
            return self.read_fields(data, base if base is not None else expected, where)
        return _read_plain(data, expected, where)

    def read_fields(self, data: Any, base: Any, where: str) -> Any:
        """Replace fields of an instance, or make one of a class, from a mapping."""
        kind: Any = base if isinstance(base, type) else type(base)
        if not isinstance(data, dict):
            raise ValueError(f"`{where}` must be a mapping of fields; got {data!r}.")
        hints = get_type_hints(kind)
        given: dict[str, Any] = {}
        for name, value in data.items():
            known_name(str(name), hints, f"field of `{where}`")
            before = None if isinstance(base, type) else getattr(base, name)
            place = f"{where}.{name}".removeprefix("config.")
            given[name] = self.read(value, hints[name], before, place)
        if not isinstance(base, type):
            return replace(base, **given)
        required = [f.name for f in fields(kind) if _is_required(f) and f.name not in given]
        if required:
            raise ValueError(f"`{where}` needs `{required[0]}`; it has no default.")
        return kind(**given)

    def _read_choice(self, data: Any, expected: Any, base: Any, where: str) -> Any:
        if isinstance(data, str):
            name, given = data, {}
        elif isinstance(data, dict) and len(data) == 1:
            ((name, given),) = data.items()
        else:
            raise ValueError(
                f"`{where}` must be a part's name or one `Name: {{field: value}}`; got {data!r}."
            )
        kind = self._find_kind(str(name), expected, where)
        same_kind = base is not None and type(base) is kind and not isinstance(data, str)
        return self.read_fields(
            given or {}, base if same_kind else kind, f"{where}.{kind.__name__}"
        )

    def _find_kind(self, name: str, expected: Any, where: str) -> type:
        if ":" in name:
            return self._import_kind(name, where)
        choices = {kind.__name__: kind for kind in self.choices[expected]}
        other = self.other_names.get(name, name)
        if other in choices:
            return choices[other]
        return choices[known_name(name, choices, f"choice for `{where}`")]

    def _import_kind(self, path: str, where: str) -> type:
        module_name, _, class_name = path.partition(":")
        module = import_own(module_name, where)
        kinds = {name: kind for name, kind in vars(module).items() if isinstance(kind, type)}
        kind = kinds[known_name(class_name, kinds, f"class of `{module_name}`")]
        if not _is_frozen(kind) or not callable(vars(kind).get(self.method)):
            raise ValueError(f"`{path}` must be a frozen dataclass with a `{self.method}` method.")
        return kind

    def _read_tuple(self, data: Any, expected: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(data, list | tuple):
            raise ValueError(f"`{where}` must be a list; got {data!r}.")
        inner = get_args(expected)
        if inner[-1] is not ... and len(data) != len(inner):
            raise ValueError(f"`{where}` must have {len(inner)} values; got {len(data)}.")
        return tuple(
            self.read(item, inner[0], None, f"{where}[{index}]") for index, item in enumerate(data)
        )

    def _read_mapping(self, data: Any, expected: Any, where: str) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise ValueError(f"`{where}` must be a mapping; got {data!r}.")
        inner = get_args(expected)[1]
        return {
            str(name): self.read(item, inner, None, f"{where}.{name}")
            for name, item in data.items()
        }


def _member_for(value: Any, expected: Any) -> Any:
    """Give the member of a union that a value is read as: `Conv` of `Conv | None` for a part.

    A union has a part's protocol or plain type, and beside it None, a tuple, a mapping or several.
    """
    if get_origin(expected) not in (UnionType, Union):
        return expected
    containers: dict[Any, Any] = {tuple: (list, tuple), Mapping: dict}
    others: list[Any] = []
    for kind in get_args(expected):
        if get_origin(kind) not in containers:
            others.append(kind)
        elif isinstance(value, containers[get_origin(kind)]):
            return kind
    if value is None and NoneType in others:
        return NoneType
    return next(kind for kind in others if kind is not NoneType)


def _is_frozen(kind: type) -> bool:
    return is_dataclass(kind) and kind.__dataclass_params__.frozen  # pyright: ignore


def _is_required(of: Any) -> bool:
    return of.default is MISSING and of.default_factory is MISSING


def _read_plain(data: Any, expected: Any, where: str) -> Any:
    if get_origin(expected) is Literal:
        choices = get_args(expected)
        return known_name(str(data), choices, f"choice for `{where}`")
    if expected is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, expected) or (isinstance(data, bool) and expected is not bool):
        raise ValueError(f"`{where}` must be of type {expected.__name__}; got {data!r}.")
    return data
