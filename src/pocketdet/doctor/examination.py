"""Facts on one patient, each found once, when first asked for."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
import inspect
import random
from typing import Any
import warnings

import numpy as np
import torch

from pocketdet.doctor.missing import Missing, NotObservable
from pocketdet.doctor.patient import FIELDS, Patient

SEED = 0


class Examination:
    """Resolves what checks ask for by name: the patient's fields, then observations.

    What an observation raised is raised again for whoever asks next, so that no check can be
    called clear on facts that are not there.
    """

    def __init__(self, patient: Patient, observations: Mapping[str, Callable[..., Any]]) -> None:
        self.patient = patient
        self.observations = observations
        self.known: dict[str, Any] = {}
        self.failed: dict[str, Exception] = {}

    def arguments_for(self, function: Callable[..., Any]) -> dict[str, Any]:
        """Give what a function's parameters name.

        Raises `Missing` or `NotObservable` where something is not there, unless the parameter
        has a default, and whatever went wrong in an observation.
        """
        given: dict[str, Any] = {}
        for name, parameter in inspect.signature(function).parameters.items():
            try:
                given[name] = self.ask(name)
            except (Missing, NotObservable):
                if parameter.default is inspect.Parameter.empty:
                    raise
        return given

    def ask(self, name: str) -> Any:
        """Give one field or observation; see `arguments_for` for what it raises."""
        if name in FIELDS:
            value = getattr(self.patient, name)
            if value is None:
                raise Missing(name)
            return value
        if name in self.failed:
            raise self.failed[name]
        if name not in self.known:
            try:
                self.known[name] = self._observe(name)
            except Exception as error:
                self.failed[name] = error
                raise
        return self.known[name]

    def _observe(self, name: str) -> Any:
        observe = self.observations[name]
        return observe(**self.arguments_for(observe))


@contextmanager
def undisturbed() -> Generator[None]:
    """Seed all random states, and put them back afterwards with torch's other switches."""
    states = random.getstate(), np.random.get_state()
    grad, default_dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        random.seed(SEED)
        np.random.seed(SEED)
        torch.manual_seed(SEED)
        torch.set_grad_enabled(True)
        try:
            yield
        finally:
            torch.set_grad_enabled(grad)
            torch.set_default_dtype(default_dtype)
            random.setstate(states[0])
            np.random.set_state(states[1])
