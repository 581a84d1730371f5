"""A value that must not be printed. Pure."""

from typing import Final


class Secret:
    """Holds a secret text; `repr`, `str` and formatting show asterisks. `reveal` gives the text.

    Not picklable, so that no cache or task queue stores it by accident.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """The secret itself: for the response to the caller, and for signing."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not stored")
