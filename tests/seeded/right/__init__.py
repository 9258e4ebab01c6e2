"""Right programs that look like faulty ones: importing this package fills `LOOK_ALIKES`."""

from seeded.right import attending, convolving, detecting, learning, normalising

__all__ = ["attending", "convolving", "detecting", "learning", "normalising"]
