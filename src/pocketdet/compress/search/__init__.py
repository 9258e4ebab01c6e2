"""Ratios and bits of parts found by trials: `Search`, and what proposes the next trial."""

from pocketdet.compress.search.actor_critic import ActorCritic
from pocketdet.compress.search.bits import Bits
from pocketdet.compress.search.sampler import CMAES, GP, NSGA2, SAMPLERS, TPE, Sampler
from pocketdet.compress.search.search import Search

__all__ = ["CMAES", "GP", "NSGA2", "SAMPLERS", "TPE", "ActorCritic", "Bits", "Sampler", "Search"]
