"""From a target in milliseconds and AP to steps, performed and held against what was predicted."""

from pocketdet.compress.planning.plan import Plan
from pocketdet.compress.planning.target import Target, read_target

__all__ = ["Plan", "Target", "read_target"]
