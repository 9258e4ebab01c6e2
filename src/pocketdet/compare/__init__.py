"""Is a change worth it: paired trainings over several seeds, intervals, costs and a verdict."""

from pocketdet.compare.comparison import Comparison
from pocketdet.compare.interval import Difference, difference_of
from pocketdet.compare.run import CompareRequest, run_comparison

__all__ = ["CompareRequest", "Comparison", "Difference", "difference_of", "run_comparison"]
