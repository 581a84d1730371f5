"""The root of every error that a caller can act on, and errors about products and builds."""


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


class UnknownProduct(DomainError):
    status = 404
    code = "unknown_product"
    message = (
        "There is no such product. Check its name: GET /products/ lists the products you may use. "
        "If it is new, ask an operator to create it and grant it to you."
    )


class UnknownBuild(DomainError):
    status = 404
    code = "unknown_build"
    message = "There is no such build. Use the self_url returned when it was registered."


class UnknownStore(DomainError):
    code = "unknown_store"
    message = "There is no store with that name. Ask an operator which stores exist."


class SlugTaken(DomainError):
    status = 409
    code = "slug_taken"
    message = (
        "That slug is permanently taken. Choose another, or leave it out to get a generated one."
    )


class ProductExists(SlugTaken):
    message = (
        "A product with that slug already exists. Use it, ask an operator to grant it to you, or "
        "choose another slug."
    )


class BuildClosed(DomainError):
    """`state` is the build's: what closed it."""

    status = 409
    code = "build_closed"
    message = "The build is no longer open. Register a new one."

    def __init__(self, state: str = "") -> None:
        why = {
            "finished": "The build is finished and can no longer change.",
            "deleted": "The build was deleted.",
            "superseded": "The same job has since registered another build of the product.",
            "expired": "The build's upload window has ended: see its open_until.",
        }.get(state)
        super().__init__(f"{why} Register a new one." if why else None)


class EmptyBuild(DomainError):
    status = 409
    code = "empty_build"
    message = (
        'Nothing was uploaded below the build\'s root. Send "empty": true if that is intended.'
    )


class SlugReserved(DomainError):
    code = "slug_reserved"
    message = "Product slugs that start with isolation-check- are reserved for isolation checks."
