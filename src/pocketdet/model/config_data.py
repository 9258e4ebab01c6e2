"""Write a config as plain data and read it back, for checkpoints and config files.

A part is stated by its class name (`CBAM`), by its name and what differs from its defaults
(`{CBAM: {reduction: 8}}`), or, for a part of the user's own, by its import path
(`my_parts:SpatialGate`). The choices stand in each part's file; there is no registry.
"""

from dataclasses import MISSING, fields, is_dataclass, replace
from importlib import import_module
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pocketdet.model.activation import ACTIVATIONS, Activation
from pocketdet.model.attention import ATTENTIONS, Attention
from pocketdet.model.config import DetectorConfig
from pocketdet.model.conv import CONVS, Conv
from pocketdet.model.extra import EXTRAS, Extra
from pocketdet.model.head import HEADS, Head
from pocketdet.model.nearest_name import known_name
from pocketdet.model.neck import NECKS, Neck
from pocketdet.model.norm import NORMS, Norm
from pocketdet.model.scale import scaled
from pocketdet.model.stage import GRAPHS, STAGES, Graph, Stage
from pocketdet.model.stem import STEMS, Stem
from pocketdet.model.upsample import UPSAMPLES, Upsample

CHOICES: dict[Any, tuple[type, ...]] = {
    Activation: ACTIVATIONS,
    Attention: ATTENTIONS,
    Conv: CONVS,
    Extra: EXTRAS,
    Graph: GRAPHS,
    Head: HEADS,
    Neck: NECKS,
    Norm: NORMS,
    Stage: STAGES,
    Stem: STEMS,
    Upsample: UPSAMPLES,
}
"""For each part's protocol, the choices that have a name of their own."""

MULTIPLIERS = ("width", "depth")
"""What a config file may say beside the fields."""


def config_to_data(config: DetectorConfig) -> dict[str, Any]:
    """Write every field out, so that a later change of a default changes no saved detector."""
    return _fields_to_data(config)


def config_from_data(data: Any, *, base: DetectorConfig | None = None) -> DetectorConfig:
    """Read what `config_to_data` wrote, or only what differs from `base`.

    `width` and `depth`, which are no fields, multiply all of what results (see `scaled`). Raises
    `ValueError` that names the field and the nearest valid name.
    """
    given = dict(data) if isinstance(data, dict) else data
    factors: dict[str, Any] = {}
    if isinstance(given, dict):
        names = [*get_type_hints(DetectorConfig), *MULTIPLIERS]
        for name in given:
            known_name(str(name), names, "field of `config`")
        factors = {name: given.pop(name) for name in MULTIPLIERS if name in given}
    return scaled(_read_fields(given, base or DetectorConfig(), "config"), **factors)


def _to_data(value: Any, expected: Any) -> Any:
    expected = _member_for(value, expected)
    if isinstance(value, tuple):
        inner = get_args(expected)
        return [_to_data(item, inner[0] if inner else None) for item in value]
    if not is_dataclass(value):
        return value
    parts = _fields_to_data(value)
    return {_name_of(type(value), expected): parts} if expected in CHOICES else parts


def _fields_to_data(value: Any) -> dict[str, Any]:
    hints = get_type_hints(type(value))
    return {f.name: _to_data(getattr(value, f.name), hints[f.name]) for f in fields(value)}


def _name_of(kind: type, expected: Any) -> str:
    return kind.__name__ if kind in CHOICES[expected] else f"{kind.__module__}:{kind.__qualname__}"


def _member_for(value: Any, expected: Any) -> Any:
    """Give the member of a union that a value is read as: `Conv` of `Conv | None` for a part.

    A union has a part's protocol or plain type, and beside it None, a tuple or both.
    """
    if get_origin(expected) not in (UnionType, Union):
        return expected
    of_tuple = [kind for kind in get_args(expected) if get_origin(kind) is tuple]
    others = [kind for kind in get_args(expected) if get_origin(kind) is not tuple]
    if value is None and NoneType in others:
        return NoneType
    if of_tuple and isinstance(value, list | tuple):
        return of_tuple[0]
    return next(kind for kind in others if kind is not NoneType)


def _read(data: Any, expected: Any, base: Any, where: str) -> Any:
    expected = _member_for(data, expected)
    if expected is NoneType:
        return None
    if expected in CHOICES:
        return _read_part(data, expected, base, where)
    if get_origin(expected) is tuple:
        return _read_tuple(data, expected, where)
    if is_dataclass(expected):
        return _read_fields(data, base if base is not None else expected, where)
    return _read_plain(data, expected, where)


def _read_part(data: Any, expected: Any, base: Any, where: str) -> Any:
    if isinstance(data, str):
        name, given = data, {}
    elif isinstance(data, dict) and len(data) == 1:
        ((name, given),) = data.items()
    else:
        raise ValueError(
            f"`{where}` must be a part's name or one `Name: {{field: value}}`; got {data!r}."
        )
    kind = _find_kind(str(name), expected, where)
    same_kind = base is not None and type(base) is kind and not isinstance(data, str)
    return _read_fields(given or {}, base if same_kind else kind, f"{where}.{kind.__name__}")


def _find_kind(name: str, expected: Any, where: str) -> type:
    if ":" in name:
        return _import_kind(name, where)
    choices = {kind.__name__: kind for kind in CHOICES[expected]}
    return choices[known_name(name, choices, f"choice for `{where}`")]


def _import_kind(path: str, where: str) -> type:
    module_name, _, class_name = path.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".")[0]:
            raise
        raise ValueError(
            f"`{where}` names the module `{module_name}`, which cannot be found; put its folder "
            "on PYTHONPATH, or beside the config file."
        ) from error
    kinds = {name: kind for name, kind in vars(module).items() if isinstance(kind, type)}
    kind = kinds[known_name(class_name, kinds, f"class of `{module_name}`")]
    if not is_dataclass(kind) or not callable(vars(kind).get("build")):
        raise ValueError(f"`{path}` must be a frozen dataclass with a `build` method.")
    return kind


def _read_fields(data: Any, base: Any, where: str) -> Any:
    """Replace fields of an instance, or make one of a class, from a mapping."""
    kind: Any = base if isinstance(base, type) else type(base)
    if not isinstance(data, dict):
        raise ValueError(f"`{where}` must be a mapping of fields; got {data!r}.")
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for name, value in data.items():
        known_name(str(name), hints, f"field of `{where}`")
        before = None if isinstance(base, type) else getattr(base, name)
        given[name] = _read(value, hints[name], before, f"{where}.{name}".removeprefix("config."))
    if not isinstance(base, type):
        return replace(base, **given)
    required = [f.name for f in fields(kind) if f.default is MISSING and f.name not in given]
    if required:
        raise ValueError(f"`{where}` needs `{required[0]}`; it has no default.")
    return kind(**given)


def _read_tuple(data: Any, expected: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list | tuple):
        raise ValueError(f"`{where}` must be a list; got {data!r}.")
    inner = get_args(expected)
    if inner[-1] is not ... and len(data) != len(inner):
        raise ValueError(f"`{where}` must have {len(inner)} values; got {len(data)}.")
    return tuple(
        _read(item, inner[0], None, f"{where}[{index}]") for index, item in enumerate(data)
    )


def _read_plain(data: Any, expected: Any, where: str) -> Any:
    if get_origin(expected) is Literal:
        choices = get_args(expected)
        return known_name(str(data), choices, f"choice for `{where}`")
    if expected is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, expected) or (isinstance(data, bool) and expected is not bool):
        raise ValueError(f"`{where}` must be of type {expected.__name__}; got {data!r}.")
    return data
