"""A card as plain data, and back: strictly, so that a misspelt or missing field is no default."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from pocketdet.conventions.class_list import ClassList
from pocketdet.conventions.decode_settings import DecodeSettings
from pocketdet.conventions.input_contract import InputContract
from pocketdet.runtime.card import Card, FileInput
from pocketdet.runtime.outputs import KINDS, FileOutputs

FORMAT, VERSION = "pocketdet card", 1

_NUMBER = (int, float)


def card_to_data(card: Card) -> dict[str, Any]:
    """Give a card as plain data that JSON can hold."""
    own = card.input
    kind = next(name for name, made in KINDS.items() if isinstance(card.outputs, made))
    return {
        "format": FORMAT,
        "version": VERSION,
        "runtime": card.runtime,
        "precision": card.precision,
        "input": {
            "name": own.name,
            "layout": "NCHW",
            "dtype": own.dtype,
            "batch": own.batch,
            "normalization": own.normalization,
            **asdict(own.contract),
            "padding_rgb": list(own.contract.padding_rgb),
        },
        "outputs": {"kind": kind, **asdict(card.outputs)},
        "box_format": "xyxy, pixels of the input",
        "classes": list(card.classes),
        "detection": asdict(card.detection),
        "origin": dict(card.origin),
        "proof": dict(card.proof),
    }


def card_from_data(data: object) -> Card:
    """Read what `card_to_data` gives; anything else raises `ValueError` with the field's name."""
    card = _Reader(data, "card")
    card.exactly("format", FORMAT)
    version = card.take("version", int)
    if version != VERSION:
        raise ValueError(
            f"`version` of the card must be {VERSION}; got {version}. Another version of pocketdet "
            "wrote it: export the file again."
        )
    card.exactly("box_format", "xyxy, pixels of the input")
    read = Card(
        runtime=card.take("runtime", str),
        precision=card.take("precision", str),
        input=_read_input(_Reader(card.take("input", dict), "input")),
        outputs=_read_outputs(_Reader(card.take("outputs", dict), "outputs")),
        classes=ClassList.of(card.take("classes", list)),
        detection=_read_detection(_Reader(card.take("detection", dict), "detection")),
        origin=card.take("origin", dict),
        proof=card.take("proof", dict),
    )
    card.finish()
    return read


def _read_input(given: "_Reader") -> FileInput:
    given.exactly("layout", "NCHW")
    contract = InputContract(
        height=given.take("height", int),
        width=given.take("width", int),
        channel_order=given.take("channel_order", str),
        mean=_triple(given.take("mean", list), "input.mean"),
        scale=_triple(given.take("scale", list), "input.scale"),
        resize=given.take("resize", str),
        interpolation=given.take("interpolation", str),
    )
    padding = given.take("padding_rgb", list)
    if padding != list(contract.padding_rgb):
        raise ValueError(
            "`input.padding_rgb` must be the mean as RGB, "
            f"{list(contract.padding_rgb)}; got {padding}."
        )
    read = FileInput(
        contract=contract,
        normalization=given.take("normalization", str),
        dtype=given.take("dtype", str),
        batch=given.take("batch", int | None),
        name=given.take("name", str),
    )
    given.finish()
    return read


def _read_outputs(given: "_Reader") -> FileOutputs:
    kind = given.take("kind", str)
    if kind not in KINDS:
        raise ValueError(f"`outputs.kind` must be one of {', '.join(KINDS)}; got {kind!r}.")
    readers: dict[str, Callable[[Any], Any]] = {
        "variances": lambda value: _numbers(value, 4, "outputs.variances"),
        "places_cxcywh": lambda rows: tuple(_numbers(r, 4, "outputs.places_cxcywh") for r in rows),
    }
    values: dict[str, Any] = {}
    for each in fields(KINDS[kind]):
        value = given.take(each.name, object)
        values[each.name] = readers[each.name](value) if each.name in readers else value
    given.finish()
    return KINDS[kind](**values)


def _read_detection(given: "_Reader") -> DecodeSettings:
    read = DecodeSettings(
        score_threshold=given.take("score_threshold", int | float),
        iou_threshold=given.take("iou_threshold", int | float),
        max_per_class=given.take("max_per_class", int),
        max_per_image=given.take("max_per_image", int),
    )
    given.finish()
    return read


def _numbers(values: Any, count: int, name: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple) or len(values) != count:
        raise ValueError(f"`{name}` must have {count} numbers in each row; got {values!r}.")
    if not all(isinstance(value, _NUMBER) and not isinstance(value, bool) for value in values):
        raise ValueError(f"`{name}` must be numbers; got {values!r}.")
    return tuple(float(value) for value in values)


def _triple(values: Any, name: str) -> tuple[float, float, float]:
    first, second, third = _numbers(values, 3, name)
    return first, second, third


class _Reader:
    """Takes fields out of a mapping, one by one; what is missing or left over is an error."""

    def __init__(self, data: object, name: str) -> None:
        if not isinstance(data, Mapping):
            raise ValueError(f"`{name}` must be an object of fields; got {type(data).__name__}.")
        self._left: dict[Any, Any] = dict(data)
        self._name = name

    def take(self, field: str, kind: Any) -> Any:
        if field not in self._left:
            raise ValueError(f"`{self._name}` must have the field `{field}`; it has none.")
        value = self._left.pop(field)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not object):
            wanted = getattr(kind, "__name__", str(kind))
            raise ValueError(f"`{self._name}.{field}` must be {wanted}; got {value!r}.")
        return value

    def exactly(self, field: str, value: str) -> None:
        given = self.take(field, str)
        if given != value:
            raise ValueError(f"`{self._name}.{field}` must be {value!r}; got {given!r}.")

    def finish(self) -> None:
        if self._left:
            names = ", ".join(f"`{name}`" for name in self._left)
            raise ValueError(f"`{self._name}` must have only the fields of a card; it has {names}.")
