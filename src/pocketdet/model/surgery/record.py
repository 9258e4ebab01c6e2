"""Surgeries as entries of a checkpoint: each has its kind, its version and its fields."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from torch import nn

from pocketdet.model.nearest_name import known_name
from pocketdet.model.plain_data import PlainData
from pocketdet.model.surgery.channels import Channels


class Surgery(Protocol):
    """One change of a built detector, repeated whenever it is loaded.

    A frozen dataclass of plain fields. `kind` and `version` are written beside them; a change of
    what the fields mean gets a new version.
    """

    kind: ClassVar[str]
    version: ClassVar[int]

    def perform(self, detector: nn.Module) -> None:
        """Change a detector in place, as it was when the surgery was recorded; weights follow."""
        ...


SURGERIES: tuple[type[Surgery], ...] = (Channels,)

FIELDS = PlainData(choices={})


def surgeries_to_data(surgeries: Sequence[Surgery]) -> list[dict[str, Any]]:
    """Write surgeries as plain data, in their order."""
    return [
        {"kind": surgery.kind, "version": surgery.version, **FIELDS.write_fields(surgery)}
        for surgery in surgeries
    ]


def surgeries_from_data(data: Sequence[Mapping[str, Any]]) -> tuple[Surgery, ...]:
    """Read them back; an unknown kind or version raises `ValueError`."""
    return tuple(_read(entry) for entry in data)


def _read(entry: Mapping[str, Any]) -> Surgery:
    kinds = {surgery.kind: surgery for surgery in SURGERIES}
    fields = dict(entry)
    name, version = str(fields.pop("kind", None)), fields.pop("version", None)
    kind = kinds[known_name(name, kinds, "kind of surgery that this version of pocketdet knows")]
    if version != kind.version:
        raise ValueError(
            f"the checkpoint's surgery `{name}` is of version {version}, and this version of "
            f"pocketdet reads version {kind.version}; use the pocketdet that wrote the checkpoint."
        )
    return FIELDS.read_fields(fields, kind, f"surgery.{name}")
