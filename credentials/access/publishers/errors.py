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
        "The identity token is not for this service alone. Ask the CI provider for one whose only "
        "audience is what GET /oidc/audience answers. If its audience cannot be chosen, use an API "
        "key instead."
    )


class IdentityTokenExpired(DomainError):
    code = "expired"
    message = (
        "The identity token has expired. Ask the CI provider for a new one, and exchange it at "
        "once. If each step has only one, exchange it when the step begins, or run the step again."
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


class UnidentifiedProject(NoMatchingPublisher):
    """The token has not the claims that rules for its issuer must name."""

    def __init__(self, lacking: Sequence[str] = ()) -> None:
        names = ", ".join(lacking) or "a claim"
        DomainError.__init__(
            self,
            f"The identity token lacks {names}, which identifies a project here. Ask the CI "
            "provider to sign it; some do only if the job or its settings name the claim.",
        )


class ProductsNotOpened(ProductNotGranted):
    message = (
        "No one trusted publisher that lets this job in opens these products. An operator adds "
        "them to the rule and grants them to its client."
    )


class ReusedToken(DomainError):
    status = 422
    code = "reused_token"
    message = (
        "The identity token was used before: it is good for one job token. Go on with that job "
        "token, which lasts for hours, or ask the CI provider for another identity token. If each "
        "step has only one, exchange it once and keep the job token; to start over, run the step "
        "again."
    )


class JwksUnavailable(DomainError):
    status = 503
    code = "jwks_unavailable"
    message = "The keys of the CI provider cannot be had. Try again after the time in Retry-After."
    retry_after = 10
