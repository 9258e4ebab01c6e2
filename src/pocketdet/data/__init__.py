"""Data sets: their formats, what is wrong with them, the built-in one, and the way to batches.

Start at `dataset.py` (what a data set is), `formats.py` (reading and writing), `check.py`,
`repair.py` (what training takes) and `batches.py`. Nothing here prints; long work takes a
`Progress`.
"""
