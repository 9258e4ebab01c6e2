"""Why something could not be observed."""


class Missing(Exception):
    """A field of the patient that a check needs was not given."""

    def __init__(self, name: str) -> None:
        super().__init__(f"needs `{name}`")
        self.name = name


class NotObservable(Exception):
    """An observation cannot be made on this patient; the message says why, as a part of a sentence.

    The checks that need it are "not run", with this as their reason.
    """
