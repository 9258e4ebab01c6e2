"""A small detector that also learns what a larger one says."""
