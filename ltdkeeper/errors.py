"""The root of every error that a caller can act on."""


class DomainError(Exception):
    """A refusal with a stable `code`, an HTTP `status` and a sentence that says what to do.

    `retry_after` is in seconds and set only where the same call can succeed later.
    """

    status: int = 400
    code: str = "refused"
    message: str = "The request was refused."
    retry_after: int | None = None

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.message
        super().__init__(self.message)
