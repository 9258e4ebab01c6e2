"""A transfer plan as rows that a person can read: whole modules instead of their tensors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pocketdet.edit.transfer import CARRIED, Fate, TensorFate, TransferPlan

WHY: dict[Fate, str] = {
    "carried": "same module at the same place",
    "renamed": "same module, its index shifted",
    "moved": "same module, found elsewhere",
    "reshaped": "same module with other shapes",
    "other kind": "another class stands there in the base",
    "new": "the base has no such module",
}


@dataclass(frozen=True, kw_only=True)
class FateRow:
    """The tensors below one module that share a fate; `note` says where from, or what shapes."""

    where: str
    fate: Fate
    num_values: int
    note: str


def fate_rows(plan: TransferPlan) -> tuple[FateRow, ...]:
    """Give one row for each largest module whose parameters all share a fate."""
    return tuple(_rows("", [t for t in plan.tensors if t.is_parameter]))


def _rows(prefix: str, tensors: Sequence[TensorFate]) -> Iterator[FateRow]:
    fates = {tensor.fate for tensor in tensors}
    if prefix and len(fates) == 1 and (fates <= {"carried", "new"} or _one_source(prefix, tensors)):
        yield FateRow(
            where=prefix,
            fate=tensors[0].fate,
            num_values=sum(tensor.num_values for tensor in tensors),
            note=_note(prefix, tensors[0]),
        )
        return
    below: dict[str, list[TensorFate]] = {}
    for tensor in tensors:
        rest = tensor.name.removeprefix(prefix).removeprefix(".")
        below.setdefault(f"{prefix}.{rest.split('.')[0]}".removeprefix("."), []).append(tensor)
    for name, inner in below.items():
        yield from _rows(name, inner)


def _one_source(prefix: str, tensors: Sequence[TensorFate]) -> bool:
    """Say whether all come from below one module of the base, under the same names."""
    if tensors[0].fate == "reshaped":
        return len(tensors) == 1
    return len({_source_prefix(prefix, tensor) for tensor in tensors}) == 1


def _source_prefix(prefix: str, tensor: TensorFate) -> str | None:
    rest = tensor.name.removeprefix(prefix)
    if tensor.source is None or not tensor.source.endswith(rest):
        return None
    return tensor.source.removesuffix(rest)


def _note(prefix: str, tensor: TensorFate) -> str:
    if tensor.fate in ("renamed", "moved"):
        return f"was {_source_prefix(prefix, tensor)}"
    if tensor.fate == "reshaped":
        before = "none" if tensor.source_shape is None else _shape(tensor.source_shape)
        return f"{before} → {_shape(tensor.shape)}"
    return ""


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


def transfer_text(plan: TransferPlan, *, most_rows: int = 40) -> str:
    """Say in lines what is carried, what is not and why; `most_rows` of each."""
    lines = [
        f"Weights: {plan.num_carried:,} of {plan.num_parameters:,} parameters carried over "
        f"({plan.share:.1%}), all that the structures allow."
    ]
    rows = fate_rows(plan)
    for fate, why in WHY.items():
        of_fate = [row for row in rows if row.fate == fate]
        if not of_fate:
            continue
        values = sum(row.num_values for row in of_fate)
        verb = "carried" if fate in CARRIED else "not carried"
        lines.append(f"  {fate} ({verb}: {why}): {values:,}")
        if fate != "carried":
            shown = of_fate[:most_rows]
            lines += [f"    {r.where}  {r.num_values:,}  {r.note}".rstrip() for r in shown]
            if len(of_fate) > most_rows:
                lines.append(f"    … and {len(of_fate) - most_rows} more; --json has all of them")
    if plan.left_behind:
        lines.append(f"  left behind in the base: {len(plan.left_behind)} tensors")
    return "\n".join([*lines, *(f"  Note: {note}" for note in plan.notes)])
