"""Whole modules in place of the many parameters in them."""

from collections.abc import Collection, Iterable


def largest_wholes(names: Iterable[str], among: Collection[str]) -> dict[str, list[str]]:
    """Gather names under the largest modules that hold none but them.

    `among` is every name there is; gives `neck.attention` with its eight parameters in place of
    each. A parameter that is alone stands for itself; "" stands for the whole network.
    """
    chosen = list(names)
    others = [name for name in among if name not in set(chosen)]
    wholes: dict[str, list[str]] = {}
    for name in chosen:
        parts = name.split(".")
        prefixes = [".".join(parts[:depth]) for depth in range(len(parts) + 1)]
        whole = next(p for p in prefixes if p == name or not any(is_in(o, p) for o in others))
        wholes.setdefault(whole, []).append(name)
    return wholes


def is_in(name: str, module: str) -> bool:
    """Say whether a parameter belongs to a module."""
    return module == "" or name == module or name.startswith(f"{module}.")


def owner_of(whole: str, parameters: list[str]) -> str:
    """Give the module's name: of a parameter that stands for itself, the module that has it."""
    return whole.rpartition(".")[0] if whole in parameters else whole
