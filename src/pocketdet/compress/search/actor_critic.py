"""Deterministic policy gradient over the parts of a detector, one part a step.

DDPG (Lillicrap et al. 2016, arXiv 1509.02971), used for channel ratios as in AMC (He et al. 2018,
arXiv 1802.03494): a state for each part, its share of channels as the action, one reward a trial
for all of its steps, no discount. PocketFlow's search was of this kind.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from pocketdet.compress.search.parts import Decisions

STATE = 4
"""Place in the network, the part's share of the work, the last action, the mean of all so far."""


@dataclass(frozen=True, kw_only=True)
class ActorCritic:
    """An actor that walks the parts, and a critic that learns what a trial scores.

    - `startup`: trials drawn at random before the first step of learning;
    - `noise`, `decay`: spread of the exploration after those, and its factor each trial;
    - `hidden`: units of each of two layers; `updates`: steps of learning after each trial.
    """

    startup: int = 8
    noise: float = 0.3
    decay: float = 0.95
    hidden: int = 48
    updates: int = 60
    learning_rate: float = 3e-3
    is_two_sided = False

    def build(self, space: "Decisions", *, seed: int) -> "BaseSampler":
        from pocketdet.compress.search.policy_sampler import PolicySampler

        return PolicySampler(Networks(self, space.weights(), seed=seed), space.names)


class Networks:
    """An agent: the two networks, their slow copies, and what they learn from."""

    def __init__(self, settings: ActorCritic, weights: Sequence[float], *, seed: int) -> None:
        self.settings = settings
        self._weights = list(weights)
        self._rng = np.random.default_rng(seed)
        self._generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._actor = _network(STATE, settings.hidden)
            self._critic = _network(STATE + 1, settings.hidden)
        self._slow = deepcopy(self._actor), deepcopy(self._critic)
        self._actor_steps = torch.optim.Adam(self._actor.parameters(), lr=settings.learning_rate)
        self._critic_steps = torch.optim.Adam(
            self._critic.parameters(), lr=3 * settings.learning_rate
        )

    def reseed(self) -> None:
        self._rng = np.random.default_rng()

    def propose(self, num_before: int) -> list[float]:
        late = num_before - self.settings.startup
        if late < 0:
            return self._rng.uniform(size=len(self._weights)).tolist()
        spread = self.settings.noise * self.settings.decay**late
        actions: list[float] = []
        for _ in self._weights:
            state = torch.tensor([self._state(actions)])
            with torch.no_grad():
                mean = float(torch.sigmoid(self._actor(state)))
            actions.append(float(np.clip(self._rng.normal(mean, spread), 0.0, 1.0)))
        return actions

    def learn(self, trials: Sequence[tuple[Sequence[float], float]]) -> None:
        if len(trials) < max(2, self.settings.startup):
            return
        scores = np.array([score for _, score in trials])
        rewards = (scores - scores.mean()) / max(float(scores.std()), 1e-6)
        steps = [
            (self._state(actions[:place]), actions[place], reward, self._after(actions, place))
            for (actions, _), reward in zip(trials, rewards, strict=True)
            for place in range(len(actions))
        ]
        states, actions, goals, following = (
            torch.tensor(np.array(column), dtype=torch.float32)
            for column in zip(*steps, strict=True)
        )
        for _ in range(self.settings.updates):
            chosen = torch.randint(len(states), (64,), generator=self._generator)
            self._update(states[chosen], actions[chosen], goals[chosen], following[chosen])

    def _update(self, states: Tensor, actions: Tensor, goals: Tensor, following: Tensor) -> None:
        slow_actor, slow_critic = self._slow
        # A last step has no next state (its first entry is -1) and is worth what the trial scored;
        # the others are worth what the slow networks think of the next one.
        with torch.no_grad():
            later = slow_critic(_joined(following, torch.sigmoid(slow_actor(following))[:, 0]))[
                :, 0
            ]
            worth = torch.where(following[:, 0] < 0, goals, 0.5 * (goals + later))
        error = (self._critic(_joined(states, actions))[:, 0] - worth).square().mean()
        _descend(error, self._critic_steps)
        value = self._critic(_joined(states, torch.sigmoid(self._actor(states))[:, 0])).mean()
        _descend(-value, self._actor_steps)
        with torch.no_grad():
            for slow, fast in zip(self._slow, (self._actor, self._critic), strict=True):
                for old, new in zip(slow.parameters(), fast.parameters(), strict=True):
                    old.lerp_(new, 0.05)

    def _state(self, actions: Sequence[float]) -> list[float]:
        place = len(actions)
        last = actions[-1] if actions else 1.0
        mean = float(np.mean(actions)) if actions else 1.0
        return [place / len(self._weights), self._weights[place], last, mean]

    def _after(self, actions: Sequence[float], place: int) -> list[float]:
        if place + 1 == len(self._weights):
            return [-1.0] * STATE
        return self._state(actions[: place + 1])


def _network(inputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, 1),
    )  # fmt: skip


def _joined(states: Tensor, actions: Tensor) -> Tensor:
    return torch.cat([states, actions[:, None]], dim=1)


def _descend(loss: Tensor, optimizer: Any) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
