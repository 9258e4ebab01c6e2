"""A small detector that also learns what a larger one says."""

from pocketdet.compress.distill.distill import Distill

__all__ = ["Distill"]
