"""`pocketdet data check`."""


def check() -> None:
    """Not written yet."""
