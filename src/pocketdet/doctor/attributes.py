"""What the user's classes say of an attribute: the line that assigns it, and whether it is read."""

import ast
from collections.abc import Iterator
from functools import cache
import inspect
from pathlib import Path
import re
import textwrap
from typing import Any

from torch import nn

from pocketdet.doctor.finding import SourceLine
from pocketdet.doctor.source_line import is_users

REGISTERING = ("add_module", "register_module", "register_parameter", "register_buffer", "setattr")


def assigned_line(model: nn.Module, name: str) -> SourceLine | None:
    """Give the line in which the user's code assigns a module, parameter or attribute.

    `name` is a qualified name such as `neck.up.weight` or `head.blocks[0]`. Where a container of
    torch's holds it, the line of the container is given; None where no source can be read.
    """
    found: SourceLine | None = None
    current: Any = model
    for part in name.split("."):
        attribute, *keys = re.split(r"[\[\]]+", part.rstrip("]"))
        found = _line_in_class(type(current), attribute) or found
        current = _held_by(current, attribute)
        for key in keys:
            current = _item(current, key)
    return found


def line_of_number(model: nn.Module, name: str, value: float) -> SourceLine | None:
    """Give the one line in the files of the user's modules that gives this number this name.

    As an attribute, an argument or a key; None where none does, or several do.
    """
    files = {_file(type(module)) for module in model.modules()}
    found = [
        SourceLine(path, line)
        for path in sorted(f for f in files if f is not None and is_users(f))
        for line in _lines_of_number(path, name, value)
    ]
    return found[0] if len(found) == 1 else None


def _file(kind: type) -> str | None:
    try:
        return inspect.getfile(kind)
    except (TypeError, OSError):
        return None


def _lines_of_number(path: str, name: str, value: float) -> Iterator[int]:
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        given = list(_named(node, name))
        if any(isinstance(n, ast.Constant) and n.value == value for n in given):
            yield given[0].lineno


def _named(node: ast.AST, name: str) -> Iterator[ast.expr]:
    """Give the expressions that a node gives this name."""
    if isinstance(node, ast.keyword) and node.arg == name:
        yield node.value
    elif isinstance(node, ast.Assign):
        names = [getattr(target, "attr", getattr(target, "id", None)) for target in node.targets]
        if name in names:
            yield node.value
    elif isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        yield from (value for key, value in zip(keys, node.values, strict=True) if key == name)


def is_read_by_its_class(model: nn.Module, name: str) -> bool:
    """Say whether any method but `__init__` mentions the attribute that holds this.

    An item of a container counts as read where the container is. Where there is no source, it
    counts as read.
    """
    owner_name, _, attribute = name.rpartition(".")
    owner = _held_at(model, owner_name)
    while isinstance(owner, nn.ModuleList | nn.Sequential | nn.ModuleDict | nn.ParameterList):
        owner_name, _, attribute = owner_name.rpartition(".")
        owner = _held_at(model, owner_name)
    tree = _tree(type(owner))
    if tree is None or not is_users(inspect.getfile(type(owner))):
        return True
    return any(_mentions(method, attribute) for method in _methods_in_use(type(owner)))


def is_left_unread(source: SourceLine) -> bool:
    """Say whether a line's result is dropped, or kept in a name that its function never reads."""
    try:
        tree = ast.parse(Path(source.path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return False
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    inside = [f for f in functions if f.lineno <= source.line <= (f.end_lineno or f.lineno)]
    if not inside:
        return False
    function = max(inside, key=lambda f: f.lineno)
    for node in ast.walk(function):
        if not isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
            continue
        if not node.lineno <= source.line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Call)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        read = {
            n.id
            for n in ast.walk(function)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        }
        return bool(names) and not names & read
    return False


def is_rebound(source: SourceLine) -> bool:
    """Say whether a line keeps a call's result in the name that it was given: `x = act(x)`."""
    try:
        tree = ast.parse(Path(source.path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if node.lineno <= source.line <= (node.end_lineno or node.lineno):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
            parts = [*node.value.args, node.value.func]
            given = [part.id for part in parts if isinstance(part, ast.Name)]
            if isinstance(node.value.func, ast.Attribute):
                held = node.value.func.value
                given += [held.id] if isinstance(held, ast.Name) else []
            return bool(set(targets) & set(given))
    return False


def _held_at(model: nn.Module, name: str) -> Any:
    current: Any = model
    for part in name.split(".") if name else []:
        current = _held_by(current, part)
    return current


def _held_by(owner: Any, attribute: str) -> Any:
    if not isinstance(owner, nn.Module):
        return None
    held: dict[str, Any] = {
        **vars(owner),
        **dict(owner.named_children()),
        **dict(owner.named_parameters(recurse=False)),
        **dict(owner.named_buffers(recurse=False)),
    }
    return held.get(attribute)


def _item(container: Any, key: str) -> Any:
    if isinstance(container, dict):
        return next((v for k, v in container.items() if repr(k) == key), None)
    is_index = isinstance(container, list | tuple) and key.isdigit()
    return container[int(key)] if is_index and int(key) < len(container) else None


def _users_bases(kind: type) -> list[type]:
    return [base for base in kind.__mro__ if _tree(base) is not None]


@cache
def _tree(kind: type) -> tuple[str, ast.Module] | None:
    try:
        path = inspect.getfile(kind)
        lines, first = inspect.getsourcelines(kind)
    except (OSError, TypeError):
        return None
    if not is_users(path):
        return None
    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except SyntaxError:
        return None
    ast.increment_lineno(tree, first - 1)
    return str(Path(path)), tree


def _line_in_class(kind: type, attribute: str) -> SourceLine | None:
    for base in _users_bases(kind):
        found = _tree(base)
        assert found is not None
        path, tree = found
        lines = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.stmt | ast.expr) and _assigns(node, attribute)
        ]
        if lines:
            return SourceLine(path, min(lines))
    return None


def _assigns(node: ast.AST, attribute: str) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        parts = [part for target in targets for part in ast.walk(target)]
        return any(isinstance(p, ast.Attribute) and p.attr == attribute for p in parts)
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else None
        called = node.func.id if isinstance(node.func, ast.Name) else called
        given = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        return called in REGISTERING and attribute in given
    return False


def _methods_in_use(kind: type) -> list[ast.FunctionDef]:
    """Give the methods but `__init__`, without those that a subclass replaces."""
    methods: list[ast.FunctionDef] = []
    replaced: set[str] = {"__init__"}
    for base in _users_bases(kind):
        found = _tree(base)
        assert found is not None
        own = [n for n in ast.walk(found[1]) if isinstance(n, ast.FunctionDef)]
        methods += [method for method in own if method.name not in replaced]
        replaced |= {method.name for method in own if not _names(method, {"super"})}
    return methods


def _mentions(method: ast.FunctionDef, attribute: str) -> bool:
    # `getattr(self, f"stage{i}")`, `self.children()`: read by a name that is not written.
    return _names(method, {"getattr", attribute, *ITERATING})


def _names(method: ast.FunctionDef, names: set[str]) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.Name) and node.id in names)
        for node in ast.walk(method)
    )


ITERATING = ("children", "named_children", "modules", "named_modules", "_modules", "__dict__")
