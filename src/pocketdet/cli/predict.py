"""`pocketdet predict`."""


def predict() -> None:
    """Not written yet."""
