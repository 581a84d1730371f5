"""Why an identity token gave no job token. No sentence holds a part of the token."""

from collections.abc import Sequence

from credentials.errors import ProductNotGranted
from ltdkeeper.errors import DomainError


class InvalidIdentityToken(DomainError):
    code = "invalid_token"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The identity token is not valid. {reason}")


class WrongAudience(DomainError):
    code = "wrong_audience"
    message = (
        "The identity token is for somebody else. Ask the CI provider for one whose only audience "
        "is what GET /oidc/audience answers."
    )


class IdentityTokenExpired(DomainError):
    code = "expired"
    message = (
        "The identity token has expired. Ask the CI provider for a new one, then come at once."
    )


class UnknownIssuer(DomainError):
    status = 403
    code = "unknown_issuer"
    message = "Identity tokens of this issuer are not taken here. Ask an operator to add it."


class NoMatchingPublisher(DomainError):
    status = 403
    code = "no_matching_publisher"
    message = "No trusted publisher lets this job in. Ask an operator for a rule."

    def __init__(self, differing: Sequence[str] = ()) -> None:
        named = ", ".join(differing)
        super().__init__(
            f"The trusted publisher for this project does not let this job in: {named} differs. "
            "Its operators know what it must be."
            if differing
            else None
        )


class ProductsNotOpened(ProductNotGranted):
    message = (
        "No one trusted publisher that lets this job in opens these products. An operator adds "
        "them to the rule and grants them to its client."
    )


class ReusedToken(DomainError):
    status = 422
    code = "reused_token"
    message = "The identity token was used before. Ask the CI provider for a new one."


class JwksUnavailable(DomainError):
    status = 503
    code = "jwks_unavailable"
    message = "The keys of the CI provider cannot be had. Try again after the time in Retry-After."
    retry_after = 10
