"""Reasons for issuing no credentials."""

from collections.abc import Sequence

from builds.errors import DomainError


class InvalidCredentials(DomainError):
    status = 401
    code = "invalid_credentials"
    message = "The key or token is unknown, expired or revoked. Ask an operator for a new key."


class TooManyFailures(DomainError):
    """`retry_after` of a raised one: seconds until the count starts again."""

    status = 429
    code = "too_many_failures"
    message = (
        "This address sent too many invalid keys or tokens within a minute. Correct yours; valid "
        "ones are always accepted."
    )
    retry_after = 60

    def __init__(self, *, retry_after: int = retry_after) -> None:
        super().__init__()
        self.retry_after = retry_after


class ProductNotGranted(DomainError):
    status = 403
    code = "product_not_granted"
    message = (
        "This client has no grant for the product. Check the product's name: GET /products/ lists "
        "the products you may use. Otherwise, ask an operator for a grant."
    )


class NotYourBuild(DomainError):
    status = 403
    code = "not_your_build"
    message = (
        "The build was registered by another client or job. Use the token that registered it, or "
        "register your own."
    )


class JobFinished(DomainError):
    status = 409
    code = "job_finished"
    message = (
        "This job has finished its build of the product, so its token can no longer be used for "
        "it. A new job has to request a new token."
    )


class NoOpenBuild(DomainError):
    status = 404
    code = "no_open_build"
    message = "You have no open build here. Register one with POST /products/<slug>/builds/ first."


class SeveralOpenBuilds(DomainError):
    status = 409
    code = "several_open_builds"
    message = (
        "You have several open builds here. Use the credentials_url of the one you mean, name the "
        "product with ?product=SLUG, or use a job token, which has one build per product."
    )


class LifeOutOfRange(DomainError):
    code = "life_out_of_range"
    message = "A job token can live 300 to 43200 seconds. Request a value in that range or none."


class KeyIsNotEnded(DomainError):
    code = "key_is_not_ended"
    message = (
        "That is an API key, which only an operator can revoke. Only access tokens and job tokens "
        "can be revoked here."
    )


class TooManyOpenBuilds(DomainError):
    status = 429
    code = "too_many_open_builds"
    message = "This client has reached its limit of open builds. Finish or delete some."
    retry_after = 60


class TooManySessions(DomainError):
    status = 429
    code = "too_many_sessions"
    message = "This client has reached its limit of sessions per hour. Try again later."
    retry_after = 60


class MayNotCreateProducts(DomainError):
    status = 403
    code = "may_not_create_products"
    message = (
        "This client may not create products. Ask an operator to create the product, or to allow "
        "the client to."
    )


class IsolationNotProven(DomainError):
    status = 503
    code = "isolation_not_proven"
    message = (
        "This service requires a passed isolation check, and this store has none. "
        "Ask an operator to run `manage.py check_isolation`."
    )
    retry_after = 60


class CanaryElsewhere(DomainError):
    status = 409
    code = "canary_elsewhere"
    message = "The product used to check this store is in another store. Rename that product."


class CanaryHasKeys(DomainError):
    status = 409
    code = "canary_has_keys"
    message = "The client isolation-check is reserved for checks and must have no keys. Rename it."


class DurationOutOfRange(DomainError):
    code = "duration_out_of_range"


class SessionWithheld(DomainError):
    status = 409
    code = "session_withheld"
    message = "The build was closed, or the right to it ended, in the meantime. Nothing was issued."


class UnknownTarget(DomainError):
    status = 404
    code = "unknown_target"
    message = "There is nothing of that kind and name whose sessions could be revoked."


class ReasonMissing(DomainError):
    code = "reason_missing"
    message = "A reason is required, for those who look at this later."


class RevocationsFull(DomainError):
    status = 503
    code = "revocations_full"
    message = (
        "The build's sessions cannot be revoked now, because the store's policy is full of earlier "
        "revocations. The build is not finished; try to finish it again later."
    )
    retry_after = 60


class StoreNeedsTime(DomainError):
    code = "store_needs_time"
    message = (
        "Revoking everything in a store requires a time within the last 12 hours, the longest "
        "lifetime of a session."
    )


class AlreadyRunning(DomainError):
    status = 409
    code = "already_running"
    message = "This is already running. Try again later."


class ExportUnusable(DomainError):
    status = 409
    code = "export_unusable"
    message = "The file of exported sessions is missing or was changed."


class BuildInUse(DomainError):
    status = 409
    code = "build_in_use"
    message = "The build is not closed permanently, so its objects are neither counted nor purged."


class SessionsAlive(DomainError):
    status = 409
    code = "sessions_alive"
    message = "A session can still write to the build. Purge the build after it has expired."


class ObjectsRemain(DomainError):
    status = 502
    code = "objects_remain"
    message = "The store still lists objects it reported as deleted. Contact the operator."


class ListingOutsideBuild(DomainError):
    status = 502
    code = "listing_outside_build"
    message = (
        "The store ignores the prefix and lists keys outside the build. Nothing it lists is "
        "counted or removed. Contact the operator."
    )


class ListingUnusable(DomainError):
    status = 502
    code = "listing_unusable"
    message = (
        "The store's listing is out of order, repeats a key, never ends or lacks fields. "
        "Nothing it lists is counted or removed. Contact the operator."
    )


class ScopeChanged(DomainError):
    status = 409
    code = "scope_changed"
    message = (
        "The product or store has changed since the build was registered. Register a new build."
    )


class PolicyTooLarge(DomainError):
    status = 422
    code = "policy_too_large"


class StsError(DomainError):
    """AssumeRole returned no usable session. The store's message is in the log, not in here."""

    status = 502


class StsThrottled(StsError):
    status = 503
    code = "sts_throttled"
    message = "The store is limiting requests. Try again after the time in Retry-After."
    retry_after = 5


class StsUnreachable(StsError):
    status = 503
    code = "sts_unreachable"
    message = "The store did not respond in time. Try again after the time in Retry-After."
    retry_after = 5


class SessionNotReady(StsUnreachable):
    message = "The session is not ready yet. Try again after the time in Retry-After."


class RoleNotAssumable(StsError):
    code = "role_not_assumable"
    message = "The store does not let this service assume the upload role. Contact the operator."


class RoleMissing(RoleNotAssumable):
    """Ceph reports this; AWS refuses as if the role existed."""

    code = "role_missing"
    message = "The store has no such upload role. Contact the operator."


class StsNotSupported(StsError):
    code = "sts_not_supported"
    message = (
        "The store does not support AssumeRole. Contact the operator: another store is needed."
    )


class RegionDisabled(StsError):
    code = "region_disabled"
    message = "STS is disabled in the store's region. Contact the operator to enable it."


class VendorCredentialsMissing(StsError):
    status = 503
    code = "vendor_credentials_missing"
    message = "This service has no AWS credentials. Contact the operator to set them."
    retry_after = 60


class VendorCredentialsRefused(StsError):
    status = 503
    code = "vendor_credentials_expired"
    message = "This service's AWS credentials have expired or are invalid. Contact the operator."
    retry_after = 60


class StsRefused(StsError):
    code = "sts_refused"
    message = "The store refused to issue a session. Contact the operator."


class StsBadAnswer(StsError):
    code = "sts_bad_answer"
    message = "The store returned something other than the requested session. It was discarded."


# The environment of a CI step.


class NoProductNamed(DomainError):
    code = "no_product_named"
    message = "A job token needs at least one product. Name it: ?format=env&product=SLUG"


class SeveralStores(DomainError):
    code = "several_stores"
    message = (
        "The products are in different stores, and a step's environment has one region and "
        "endpoint. Request the lines for each separately, with the job token as the password."
    )


# Presigned requests.


class BadDirectory(DomainError):
    code = "bad_directory"


class BadFile(DomainError):
    code = "bad_file"


class PostNotSupported(DomainError):
    status = 422
    code = "post_not_supported"
    message = (
        "The store does not accept presigned POSTs. Use the build's credentials_url, or "
        "POST /builds/<id>/presigned-urls."
    )


class PostSupportUnknown(PostNotSupported):
    message = (
        "It is not known yet whether the store accepts presigned POSTs. Ask an operator to run "
        "`manage.py check_isolation`; until then use the build's credentials_url, or "
        "POST /builds/<id>/presigned-urls."
    )


class PostSignerUnusable(DomainError):
    status = 503
    code = "post_signer_unusable"
    message = "The identity that signs POSTs for this store cannot be used. Contact the operator."
    retry_after = 60


# Uploads through this service.


class UploadsOff(DomainError):
    status = 404
    code = "uploads_off"
    message = (
        "This service accepts no uploads. Use the build's credentials_url, or "
        "POST /builds/<id>/presigned-urls."
    )


class TooManyUploads(DomainError):
    status = 503
    code = "too_many_uploads"
    message = "Too many uploads are in progress. Try again after the time in Retry-After."
    retry_after = 2


class ChecksumMismatch(DomainError):
    code = "checksum_mismatch"

    def __init__(self, differing: Sequence[str] = ()) -> None:
        named = " and ".join(differing).upper() or "checksum"
        super().__init__(f"The {named} of the body differs from the header's. Nothing was stored.")


class UploadTruncated(DomainError):
    code = "upload_truncated"
    message = "The body is shorter than its Content-Length. Nothing was stored."


class StoreUnreachable(DomainError):
    status = 503
    code = "store_unreachable"
    message = "The store is unavailable. Try again after the time in Retry-After."
    retry_after = 5


class ObjectNotStored(DomainError):
    status = 502
    code = "object_not_stored"

    def __init__(self, status: int = 0, code: str = "") -> None:
        told = f" ({status} {code})".replace(" )", ")") if status else ""
        super().__init__(f"The store refused the object{told}. Contact the operator.")


# Identity tokens. No message contains a part of one.


class InvalidIdentityToken(DomainError):
    code = "invalid_token"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The identity token is not valid. {reason}")


class WrongAudience(DomainError):
    code = "wrong_audience"
    message = (
        "This service is not the identity token's only audience. Request one whose only audience "
        "is the one that GET /oidc/audience returns. If the CI provider does not let you choose "
        "the audience, use an API key instead."
    )


class IdentityTokenExpired(DomainError):
    code = "expired"
    message = (
        "The identity token has expired. Request a new one from the CI provider and exchange it "
        "immediately. If each step has only one, exchange it when the step starts, or run the "
        "step again."
    )


class UnknownIssuer(DomainError):
    status = 403
    code = "unknown_issuer"
    message = "Identity tokens of this issuer are not accepted here. Ask an operator to add it."


class NoMatchingPublisher(DomainError):
    status = 403
    code = "no_matching_publisher"
    message = "No trusted publisher matches this job. Ask an operator to add one."

    def __init__(self, differing: Sequence[str] = ()) -> None:
        named = ", ".join(differing)
        super().__init__(
            f"The trusted publisher for this project does not match this job: {named} differs. "
            "Ask an operator which value is expected."
            if differing
            else None
        )


class UnidentifiedProject(NoMatchingPublisher):
    """The token lacks the claims that rules for its issuer must name."""

    def __init__(self, lacking: Sequence[str] = ()) -> None:
        names = ", ".join(lacking) or "a claim"
        DomainError.__init__(
            self,
            f"The identity token lacks {names}, which identifies a project here. Configure the CI "
            "provider to sign it; some do so only if the job or its settings name the claim.",
        )


class ProductsNotOpened(ProductNotGranted):
    message = (
        "No single trusted publisher that matches this job covers these products. Check their "
        "names, or ask an operator to add them to the rule and grant them to its client."
    )
    NAMED_AT_MOST = 5

    def __init__(self, slugs: Sequence[str] = ()) -> None:
        named = ", ".join(slugs[: self.NAMED_AT_MOST])
        super().__init__(f"{self.message} Requested: {named}." if named else None)


class ProductsUnclear(NoProductNamed):
    message = (
        "Several trusted publishers match this job, for different products. Name one: in "
        "`products`, with ltdkeeper-upload's --product, or with the input `product` in CI."
    )


class ReusedToken(DomainError):
    status = 422
    code = "reused_token"
    message = (
        "The identity token was already exchanged, which works only once. Keep using that job "
        "token, which is valid for hours, or request another identity token from the CI provider. "
        "If each step has only one, exchange it once and keep the job token; to start over, run "
        "the step again."
    )


class JwksUnavailable(DomainError):
    status = 503
    code = "jwks_unavailable"
    message = "The CI provider's keys are unavailable. Try again after the time in Retry-After."
    retry_after = 10
