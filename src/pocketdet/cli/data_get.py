"""`pocketdet data get`."""


def get() -> None:
    """Not written yet."""
