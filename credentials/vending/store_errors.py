"""botocore's exceptions -> this service's typed errors. Pure but for botocore's classes.

Codes: AWS STS API reference (AssumeRole, common errors), and S3's for stores whose STS responds in
S3's form.
"""

from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from builds.errors import DomainError
from credentials.errors import (
    PolicyTooLarge,
    RegionDisabled,
    RoleMissing,
    RoleNotAssumable,
    StsBadAnswer,
    StsNotSupported,
    StsRefused,
    StsThrottled,
    StsUnreachable,
    VendorCredentialsMissing,
    VendorCredentialsRefused,
)

THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
}
VENDOR_REFUSED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "AuthFailure",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
}
# How stores say that they do not know a call at all.
UNSUPPORTED_STATUSES = {405, 501}
UNSUPPORTED_CODES = {"NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "InvalidAction"}
KINDS: dict[str, type[DomainError]] = {
    "PackedPolicyTooLarge": PolicyTooLarge,
    **dict.fromkeys(THROTTLED, StsThrottled),
    **dict.fromkeys(VENDOR_REFUSED, VendorCredentialsRefused),
    **dict.fromkeys(UNSUPPORTED_CODES, StsNotSupported),
    "AccessDenied": RoleNotAssumable,
    "AccessDeniedException": RoleNotAssumable,
    "NoSuchEntity": RoleMissing,
    "RegionDisabledException": RegionDisabled,
}
UNREACHABLE = (
    botocore_errors.ConnectionError,
    botocore_errors.HTTPClientError,
    botocore_errors.IncompleteReadError,
    botocore_errors.ResponseStreamingError,
)
TIMED_OUT = (botocore_errors.ConnectTimeoutError, botocore_errors.ReadTimeoutError)
NO_CREDENTIALS = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.ProfileNotFound,
)
SERVER_ERROR = 500

# What botocore raises, by itself or from within, about an answer that is not the one described.
UNREADABLE = (
    ResponseParserError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    RuntimeError,
)

# Everything a call through botocore can raise about the other side. ResponseParserError is no
# BotoCoreError, and its text is the answer it could not read: session token and all.
CALL_FAILED = (
    botocore_errors.ClientError,
    botocore_errors.BotoCoreError,
    ResponseParserError,
)


def typed_error(err: Exception) -> DomainError:
    """The error to raise for what botocore raised."""
    if isinstance(err, botocore_errors.ClientError):
        return _from_answer(err)
    if isinstance(err, NO_CREDENTIALS):
        return VendorCredentialsMissing()
    if isinstance(err, UNREACHABLE):
        return StsUnreachable()
    if isinstance(err, ResponseParserError):
        return StsBadAnswer()
    return StsRefused()


def loggable(err: Exception) -> str:
    """What may be written down of what botocore raised: never the text of a response.

    Where botocore found no code, it stands in its place with the status (Ceph).
    """
    if isinstance(err, botocore_errors.ClientError) and not _own_code(err):
        found = f"{http_status(err)} {error_code(err)}".strip()
        return f"{type(err).__name__}: {found} when calling the {err.operation_name} operation"
    is_told = isinstance(err, (botocore_errors.ClientError, *UNREACHABLE))
    return f"{type(err).__name__}: {err}" if is_told else type(err).__name__


def _from_answer(err: botocore_errors.ClientError) -> DomainError:
    status = http_status(err)
    if kind := KINDS.get(error_code(err)):
        return kind()
    if status in UNSUPPORTED_STATUSES:
        return StsNotSupported()
    return StsUnreachable() if status >= SERVER_ERROR else StsRefused()


def http_status(err: botocore_errors.ClientError) -> int:
    """The status of a response; 0 where there is none."""
    return err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def error_code(err: botocore_errors.ClientError) -> str:
    """The store's error code, also where it answers STS in S3's form (Ceph)."""
    return _own_code(err) or str(err.response.get("Code", ""))


def _own_code(err: botocore_errors.ClientError) -> str:
    """The code as botocore read it; empty where it found none."""
    code = str(err.response.get("Error", {}).get("Code", ""))
    return "" if code == "Unknown" else code
