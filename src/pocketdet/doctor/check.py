"""What a check is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
import inspect

from pocketdet.doctor.finding import Fault, Severity


class Stage(IntEnum):
    """Cheapest first; each stage makes the next one trustworthy."""

    DETERMINISM = 1
    REACHABILITY = 2
    CALIBRATION = 3
    INDEPENDENCE = 4
    AXES = 5
    REGISTRATION = 6
    LOSS = 7
    ROUND_TRIP = 8
    OVERFIT = 9
    REFERENCE = 10

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One silent fault that the doctor knows how to find.

    - `id`: the fault's name, which reads well after "allow";
    - `summary`: one terse phrase; `remedy`: what to do, whole sentences;
    - `severity`: of its faults, unless one says otherwise;
    - `find`: yields faults; it asks by its parameters' names for what it needs, see
      `observations`; a parameter with a default is given only where it can be had;
    - `explained_by`: checks whose finding in the same module, or a part of it, is the cause:
      this one is then reported as following from it, with the severity `info`.
    """

    id: str
    summary: str
    stage: Stage
    severity: Severity
    remedy: str
    find: Callable[..., Iterator[Fault]]
    explained_by: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """The docstring of the file that the check is in."""
        return inspect.getdoc(inspect.getmodule(self.find)) or ""

    @property
    def needs(self) -> tuple[str, ...]:
        """What `find` asks for, by its parameters' names."""
        return tuple(inspect.signature(self.find).parameters)
