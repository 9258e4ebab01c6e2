"""What proposes the next trial, from those before: optimizers of a well-kept library (Optuna)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from pocketdet.compress.search.parts import Decisions


class Sampler(Protocol):
    """A choice of optimizer: a frozen keyword-only dataclass with its settings."""

    @property
    def is_two_sided(self) -> bool:
        """Whether it looks for a whole front of AP against time, instead of one best."""
        ...

    def build(self, space: "Decisions", *, seed: int) -> "BaseSampler":
        """Make the optimizer; called where Optuna is installed."""
        ...


@dataclass(frozen=True, kw_only=True)
class TPE:
    """Tree-structured Parzen estimator (Bergstra et al. 2011): good from ten trials on."""

    startup: int = 8
    is_two_sided = False

    def build(self, space: "Decisions", *, seed: int) -> "BaseSampler":
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=self.startup, multivariate=True, constant_liar=True, seed=seed
        )


@dataclass(frozen=True, kw_only=True)
class GP:
    """A Gaussian process with expected improvement: fewest trials, up to about 20 parts."""

    startup: int = 8
    is_two_sided = False

    def build(self, space: "Decisions", *, seed: int) -> "BaseSampler":
        from optuna.samplers import GPSampler

        return GPSampler(n_startup_trials=self.startup, deterministic_objective=False, seed=seed)


@dataclass(frozen=True, kw_only=True)
class CMAES:
    """Covariance matrix adaptation (Hansen 2016): for many parts and hundreds of trials."""

    is_two_sided = False

    def build(self, space: "Decisions", *, seed: int) -> "BaseSampler":
        from optuna.samplers import CmaEsSampler

        return CmaEsSampler(x0=dict.fromkeys(space.names, 0.7), sigma0=0.2, seed=seed)


@dataclass(frozen=True, kw_only=True)
class NSGA2:
    """A front of AP against measured time (Deb et al. 2002); trials have no common budget."""

    population: int = 12
    is_two_sided = True

    def build(self, space: "Decisions", *, seed: int) -> "BaseSampler":
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=self.population, seed=seed)


SAMPLERS: tuple[type, ...] = (TPE, GP, CMAES, NSGA2)
"""Those of the library; `ActorCritic` is our own and stands in its own file."""
