"""Faulty programs, their healthy twins, look-alikes and others' networks, to judge the doctor by.

Nothing here imports pocketdet (`wild/ours.py` alone builds its recipes), and nothing in the doctor may
be written from a look at these programs: one person writes the program, another the check.

A program is one function with one argument, `faulty`, in `programs/`; the line that differs ends in
`# FAULT`. A right program that looks wrong is a function in `right/`. To add one, write the function under
its decorator: tests, trainings (benchmarks/seeded_training.py) and benchmarks/doctor.py find it.
"""
