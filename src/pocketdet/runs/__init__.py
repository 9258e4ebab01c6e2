"""A training run and what it consists of: data, the doctor's look before it, loop, evaluation.

A run is a folder, `runs/NAME`, that can be gone on with; other layers train by asking for one.
"""
