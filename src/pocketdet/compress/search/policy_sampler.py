"""An agent as one of Optuna's samplers, so that it shares studies as all others do."""

from collections.abc import Sequence
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class Agent(Protocol):
    """What draws one number in [0, 1] for each part, and learns from what trials scored."""

    def reseed(self) -> None:
        """Draw from now on as no other agent does."""
        ...

    def learn(self, trials: Sequence[tuple[Sequence[float], float]]) -> None:
        """Learn from the actions and the score of every finished trial."""
        ...

    def propose(self, num_before: int) -> list[float]:
        """Give one number in [0, 1] for each part, after `num_before` finished trials."""
        ...


class PolicySampler(BaseSampler):
    """Before each trial the agent learns from all finished ones, of whichever process."""

    def __init__(self, agent: Agent, names: Sequence[str]) -> None:
        self._agent, self._names = agent, tuple(names)

    def reseed_rng(self) -> None:
        self._agent.reseed()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {name: FloatDistribution(0.0, 1.0) for name in self._names}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        done = [
            ([float(other.params[name]) for name in self._names], float(other.values[0]))
            for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if other.values and set(self._names) <= set(other.params)
        ]
        self._agent.learn(done)
        return dict(zip(self._names, self._agent.propose(len(done)), strict=True))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        raise ValueError(f"`{param_name}` is not one of the parts {', '.join(self._names)}.")
