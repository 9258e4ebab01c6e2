"""Faulty programs, their healthy twins, look-alikes and others' networks, to judge the doctor by.

Nothing here imports pocketdet (`wild.py` alone builds its recipes), and nothing in the doctor may
be written from a look at these programs: one person writes the program, another the check.
"""
