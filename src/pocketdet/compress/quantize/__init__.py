"""Fewer bits: calibrated, trained further, or looked up, and undone where it costs too much."""

from pocketdet.compress.quantize.quantize import Quantize

__all__ = ["Quantize"]
