"""`pocketdet data convert`."""


def convert() -> None:
    """Not written yet."""
