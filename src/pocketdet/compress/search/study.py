"""The trials of a search, in a file or database that any number of processes share."""

from collections.abc import Callable, Mapping, Sequence
import os
from pathlib import Path
import socket
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pocketdet.compress.search.parts import Decisions
from pocketdet.compress.search.sampler import Sampler
from pocketdet.runtime.sessions.installed import need

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

TryOut = Callable[[int, Sequence[float]], Mapping[str, float]]
"""From a trial's number and its numbers for all parts to what it measured: `ap`, `milliseconds`."""

FIGURES = "figures"
PROCESS = "process"


class Trials:
    """A study under one name; every process that opens it adds to the same trials.

    `place` is a file, or a database's URL (`postgresql://…`). A trial of a process on this machine
    that is no longer there counts as failed, and is not waited for.
    """

    def __init__(
        self, place: str, name: str, space: Decisions, sampler: Sampler, *, seed: int
    ) -> None:
        optuna = need("optuna", extra="search", what="A search")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._is_two_sided = space, sampler.is_two_sided
        proposer = sampler.build(space, seed=seed)
        self._study: Study = optuna.create_study(
            storage=_storage(place),
            study_name=name,
            sampler=proposer,
            directions=["maximize", "minimize"] if sampler.is_two_sided else ["maximize"],
            load_if_exists=True,
        )
        self._fail_abandoned()
        if self._is_joined():
            # With the same seed all processes would propose the same trials.
            proposer.reseed_rng()

    @property
    def done(self) -> list[tuple[list[float], dict[str, float]]]:
        """Numbers and figures of all finished trials, of whichever process, in their order."""
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [
            ([trial.params[name] for name in self._space.names], trial.user_attrs[FIGURES])
            for trial in trials
        ]

    def add(self, try_out: TryOut, *, numbers: Sequence[float] | None = None) -> None:
        """Perform one trial; `numbers` states it instead of asking the sampler."""
        from optuna.trial import TrialState

        names = self._space.names
        if numbers is not None:
            self._study.enqueue_trial(dict(zip(names, numbers, strict=True)))
        trial = self._study.ask()
        trial.set_user_attr(PROCESS, [socket.gethostname(), os.getpid()])
        try:
            figures = try_out(trial.number, [trial.suggest_float(name, 0.0, 1.0) for name in names])
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        trial.set_user_attr(FIGURES, dict(figures))
        values = [figures["ap"], figures["milliseconds"]]
        self._study.tell(trial, values if self._is_two_sided else values[0])

    def _is_joined(self) -> bool:
        """Say whether other processes were here before or are now, and leave this one's name."""
        self._study.set_user_attr(f"{PROCESS} {uuid4()}", value=True)
        return len(self._study.user_attrs) > 1 or bool(self._study.get_trials(deepcopy=False))

    def _fail_abandoned(self) -> None:
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if _is_abandoned(trial):
                self._study.tell(trial.number, state=TrialState.FAIL)


def _is_abandoned(trial: "FrozenTrial") -> bool:
    host, process = trial.user_attrs.get(PROCESS, (None, None))
    if host != socket.gethostname():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return process == os.getpid()


def _storage(place: str) -> "BaseStorage | str":
    if "://" in place:
        return place
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    Path(place).parent.mkdir(parents=True, exist_ok=True)
    backend: Any = JournalFileBackend(place)
    return JournalStorage(backend)
