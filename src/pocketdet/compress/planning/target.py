"""What `--target` says: `15ms`, or `15ms onnxruntime`."""

from dataclasses import dataclass
import re

FORM = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*ms(?:\s+([\w-]+))?\s*")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Milliseconds that one picture may take, and in which runtime (None: the fastest here)."""

    milliseconds: float
    runtime: str | None = None


def read_target(text: str) -> Target:
    """Read a target; raises `ValueError` with the form that is meant."""
    found = FORM.fullmatch(text)
    if found is None or float(found[1]) <= 0:
        raise ValueError(
            "`--target` must be milliseconds above 0 and may name a runtime, such as "
            f'"15ms onnxruntime"; got {text!r}.'
        )
    return Target(milliseconds=float(found[1]), runtime=found[2])
