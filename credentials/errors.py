"""Why no credentials were handed out."""

from collections.abc import Sequence

from builds.errors import DomainError


class InvalidCredentials(DomainError):
    status = 401
    code = "invalid_credentials"
    message = "The key or token is unknown, expired or revoked. Ask an operator for a new key."


class TooManyFailures(DomainError):
    """`retry_after` of a raised one: until failures are counted anew."""

    status = 429
    code = "too_many_failures"
    message = (
        "Too many wrong keys or tokens came from this address within a minute. Correct yours; a "
        "right one is always answered."
    )
    retry_after = 60

    def __init__(self, *, retry_after: int = retry_after) -> None:
        super().__init__()
        self.retry_after = retry_after


class ProductNotGranted(DomainError):
    status = 403
    code = "product_not_granted"
    message = "This client is not granted the product. Ask an operator for the grant."


class NotYourBuild(DomainError):
    status = 403
    code = "not_your_build"
    message = "The build was registered by another client or by another job. Register your own."


class JobFinished(DomainError):
    status = 409
    code = "job_finished"
    message = (
        "This job has finished its build of the product, so its token is spent there. "
        "A new job asks for a new token."
    )


class NoOpenBuild(DomainError):
    status = 404
    code = "no_open_build"
    message = "You have no open build here. POST /products/<slug>/builds/ registers one; then ask."


class SeveralOpenBuilds(DomainError):
    status = 409
    code = "several_open_builds"
    message = (
        "You have several open builds here. Ask at the credentials_url of the one you mean, name "
        "the product with ?product=SLUG, or use a job token, which has one build per product."
    )


class LifeOutOfRange(DomainError):
    status = 400
    code = "life_out_of_range"
    message = "A job token lives 300 to 43200 seconds. Ask for that, or leave it out."


class KeyIsNotEnded(DomainError):
    status = 400
    code = "key_is_not_ended"
    message = "That is an API key: an operator revokes it. Only tokens are ended here."


class TooManyOpenBuilds(DomainError):
    status = 429
    code = "too_many_open_builds"
    message = "This client has as many open builds as it may. Finish or delete some."
    retry_after = 60


class TooManySessions(DomainError):
    status = 429
    code = "too_many_sessions"
    message = "This client asked for as many sessions within an hour as it may. Come back later."
    retry_after = 60


class MayNotCreateProducts(DomainError):
    status = 403
    code = "may_not_create_products"
    message = "This client may not create products. Ask an operator for the right or the product."


class IsolationNotProven(DomainError):
    status = 503
    code = "isolation_not_proven"
    message = (
        "No check has shown that the store keeps builds apart, and this service requires one. "
        "Its operators run `manage.py check_isolation`."
    )
    retry_after = 60


class CanaryElsewhere(DomainError):
    status = 409
    code = "canary_elsewhere"
    message = "The product for checks of this store is in another store. Rename that product."


class CanaryHasKeys(DomainError):
    status = 409
    code = "canary_has_keys"
    message = "The client isolation-check belongs to the checks and must have no keys. Rename it."


class DurationOutOfRange(DomainError):
    status = 400
    code = "duration_out_of_range"


class SessionWithheld(DomainError):
    status = 409
    code = "session_withheld"
    message = "The build closed or the right to it ended meanwhile. Nothing was handed out."


class UnknownTarget(DomainError):
    status = 404
    code = "unknown_target"
    message = "There is nothing of that kind and name whose sessions could be revoked."


class ReasonMissing(DomainError):
    status = 400
    code = "reason_missing"
    message = "Say why, in a sentence: whoever looks at this later has to know."


class RevocationsFull(DomainError):
    status = 503
    code = "revocations_full"
    message = (
        "The build's sessions cannot be revoked now: as many as the store has room for are revoked "
        "already. The build is not finished; finish it again later."
    )
    retry_after = 60


class StoreNeedsTime(DomainError):
    status = 400
    code = "store_needs_time"
    message = (
        "Everything of a store is revoked up to a time: name one within the last 12 hours, which "
        "is as long as a session lives."
    )


class AlreadyRunning(DomainError):
    status = 409
    code = "already_running"
    message = "The same is already running. Run it again later."


class ExportUnusable(DomainError):
    status = 409
    code = "export_unusable"
    message = "The file of exported sessions is missing, or is not the one that was written."


class BuildInUse(DomainError):
    status = 409
    code = "build_in_use"
    message = "The build is not closed for good, so nothing is counted or cleaned in it."


class SessionsAlive(DomainError):
    status = 409
    code = "sessions_alive"
    message = "A session of the build can still write. Purge it when that has expired."


class ObjectsRemain(DomainError):
    status = 502
    code = "objects_remain"
    message = "The store keeps listing what it said was deleted. Its operators must look."


class ListingOutsideBuild(DomainError):
    status = 502
    code = "listing_outside_build"
    message = (
        "The store lists keys that are not the build's, so it ignores the prefix. Nothing that it "
        "lists is counted or removed. Its operators must look."
    )


class ListingUnusable(DomainError):
    status = 502
    code = "listing_unusable"
    message = (
        "The store's listing is out of order, names a key twice, has no end or lacks members. "
        "Nothing that it lists is counted or removed. Its operators must look."
    )


class ScopeChanged(DomainError):
    status = 409
    code = "scope_changed"
    message = "Product or store no longer match what the build recorded. Register a new build."


class PolicyTooLarge(DomainError):
    status = 422
    code = "policy_too_large"


class StsError(DomainError):
    """AssumeRole gave no usable session. What the store said is in the log, not in here."""

    status = 502


class StsThrottled(StsError):
    status = 503
    code = "sts_throttled"
    message = "The store is limiting requests. Try again after the time in Retry-After."
    retry_after = 5


class StsUnreachable(StsError):
    status = 503
    code = "sts_unreachable"
    message = "The store did not answer in time. Try again after the time in Retry-After."
    retry_after = 5


class SessionNotReady(StsUnreachable):
    message = "The session is not ready yet. Ask again after the time in Retry-After."


class RoleNotAssumable(StsError):
    code = "role_not_assumable"
    message = "The store refuses the upload role to this service. Its operators must look."


class RoleMissing(RoleNotAssumable):
    """Ceph says so; AWS refuses as if the role were there."""

    code = "role_missing"
    message = "The store has no such upload role. Its operators must look."


class StsNotSupported(StsError):
    code = "sts_not_supported"
    message = "The store does not issue sessions (AssumeRole). Its operators must use another."


class RegionDisabled(StsError):
    code = "region_disabled"
    message = "STS is disabled in the store's region. Its operators must enable it."


class VendorCredentialsMissing(StsError):
    status = 503
    code = "vendor_credentials_missing"
    message = "This service has no credentials of its own. Its operators must set them."
    retry_after = 60


class VendorCredentialsRefused(StsError):
    status = 503
    code = "vendor_credentials_expired"
    message = (
        "This service's own credentials are expired or refused. Its operators must renew them."
    )
    retry_after = 60


class StsRefused(StsError):
    code = "sts_refused"
    message = "The store refused the request for a session. Its operators must look."


class StsBadAnswer(StsError):
    code = "sts_bad_answer"
    message = "The store's answer was not the session that was asked for. It was thrown away."


# The environment of a CI step.


class NoProductNamed(DomainError):
    status = 400
    code = "no_product_named"
    message = "A job token is for products. Name them: ?format=env&product=SLUG"


class SeveralStores(DomainError):
    status = 400
    code = "several_stores"
    message = (
        "The products lie in different stores, and a step's environment holds one region and "
        "endpoint. Ask for the lines of each on its own, with the job token as the password."
    )


# Presigned requests.


class BadDirectory(DomainError):
    status = 400
    code = "bad_directory"


class BadFile(DomainError):
    status = 400
    code = "bad_file"


class PostNotSupported(DomainError):
    status = 422
    code = "post_not_supported"
    message = (
        "The store does not take presigned POSTs. Use the build's credentials_url, or "
        "POST /builds/<id>/presigned-urls."
    )


class PostSupportUnknown(PostNotSupported):
    message = (
        "Nothing has shown yet that the store takes presigned POSTs. Its operators run "
        "`manage.py check_isolation`; until then use the build's credentials_url, or "
        "POST /builds/<id>/presigned-urls."
    )


class PostSignerUnusable(DomainError):
    status = 503
    code = "post_signer_unusable"
    message = (
        "The identity that signs POSTs for this store cannot be used. Its operators must look."
    )
    retry_after = 60


# Identity tokens. No sentence holds a part of one.


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
