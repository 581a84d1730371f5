"""Every error code and every failure of the network becomes one typed error, and says when to
come back if coming back can help.
"""

from typing import Any

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from builds.errors import DomainError
from credentials import errors
from credentials.vending import store_errors as sts_errors
from credentials.vending.store_errors import CALL_FAILED, error_code, loggable, typed_error

THROTTLED = (errors.StsThrottled, 503, "sts_throttled", 5)
REFUSED_VENDOR = (errors.VendorCredentialsRefused, 503, "vendor_credentials_expired", 60)
NO_VENDOR = (errors.VendorCredentialsMissing, 503, "vendor_credentials_missing", 60)
NOT_ASSUMABLE = (errors.RoleNotAssumable, 502, "role_not_assumable", None)
MISSING = (errors.RoleMissing, 502, "role_missing", None)
NO_STS = (errors.StsNotSupported, 502, "sts_not_supported", None)
DISABLED = (errors.RegionDisabled, 502, "region_disabled", None)
TOO_LARGE = (errors.PolicyTooLarge, 422, "policy_too_large", None)
UNREACHABLE = (errors.StsUnreachable, 503, "sts_unreachable", 5)
BAD_ANSWER = (errors.StsBadAnswer, 502, "sts_bad_answer", None)
REFUSED = (errors.StsRefused, 502, "sts_refused", None)

CODES = {
    "Throttling": THROTTLED,
    "ThrottlingException": THROTTLED,
    "ThrottledException": THROTTLED,
    "TooManyRequestsException": THROTTLED,
    "RequestLimitExceeded": THROTTLED,
    "RequestThrottled": THROTTLED,
    "SlowDown": THROTTLED,
    "PriorRequestNotComplete": THROTTLED,
    "ExpiredToken": REFUSED_VENDOR,
    "ExpiredTokenException": REFUSED_VENDOR,
    "InvalidClientTokenId": REFUSED_VENDOR,
    "InvalidAccessKeyId": REFUSED_VENDOR,
    "UnrecognizedClientException": REFUSED_VENDOR,
    "SignatureDoesNotMatch": REFUSED_VENDOR,
    "InvalidToken": REFUSED_VENDOR,
    "AuthFailure": REFUSED_VENDOR,
    "IncompleteSignature": REFUSED_VENDOR,
    "MissingAuthenticationToken": REFUSED_VENDOR,
    "RequestExpired": REFUSED_VENDOR,
    "RequestTimeTooSkewed": REFUSED_VENDOR,
    "AccessDenied": NOT_ASSUMABLE,
    "AccessDeniedException": NOT_ASSUMABLE,
    "NoSuchEntity": MISSING,
    "NotImplemented": NO_STS,
    "MethodNotAllowed": NO_STS,
    "InvalidAction": NO_STS,
    "RegionDisabledException": DISABLED,
    "PackedPolicyTooLarge": TOO_LARGE,
    "MalformedPolicyDocument": REFUSED,
    "ValidationError": REFUSED,
    "InvalidParameterValue": REFUSED,
    "SomethingNew": REFUSED,
    "Unknown": REFUSED,
    "": REFUSED,
}


def answered(code: str, status: int = 400) -> ClientError:
    detail: Any = {
        "Error": {"Code": code, "Message": "User arn:aws:iam::1:user/vendor may not"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(detail, "AssumeRole")


def told(err: DomainError) -> tuple[type, int, str, int | None]:
    return type(err), err.status, err.code, err.retry_after


def test_error_code_has_its_type() -> None:
    assert set(CODES) >= sts_errors.THROTTLED | sts_errors.VENDOR_REFUSED
    assert {code: told(typed_error(answered(code))) for code in CODES} == CODES


STATUSES = {
    "internal failure": ("InternalFailure", 500, UNREACHABLE),
    "unavailable": ("ServiceUnavailable", 503, UNREACHABLE),
    "gateway without a code": ("", 502, UNREACHABLE),
    "status as a code": ("504", 504, UNREACHABLE),
    "not implemented": ("NotImplemented", 501, NO_STS),
    "not implemented, without a code": ("", 501, NO_STS),
    "not allowed": ("", 405, NO_STS),
    "throttled with 503": ("SlowDown", 503, THROTTLED),
    "denied with 500": ("AccessDenied", 500, NOT_ASSUMABLE),
    "just under 500": ("Odd", 499, REFUSED),
    "no status": ("Odd", 0, REFUSED),
}


def test_server_error_is_passing_unless_its_code_says_otherwise() -> None:
    for case, (code, status, expected) in STATUSES.items():
        assert told(typed_error(answered(code, status))) == expected, case


def test_answer_without_a_status_is_read_too() -> None:
    error: Any = ClientError({"Error": {"Code": "Odd"}}, "AssumeRole")
    assert told(typed_error(error)) == REFUSED


URL = "https://sts.eu-central-1.amazonaws.com"
FAILURES: dict[str, tuple[Exception, Any]] = {
    "no credentials": (botocore_errors.NoCredentialsError(), NO_VENDOR),
    "half the credentials": (
        botocore_errors.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        NO_VENDOR,
    ),
    "credentials not retrieved": (
        botocore_errors.CredentialRetrievalError(provider="web-identity", error_msg="x"),
        NO_VENDOR,
    ),
    "profile not found": (botocore_errors.ProfileNotFound(profile="vendor"), NO_VENDOR),
    "connecting timed out": (
        botocore_errors.ConnectTimeoutError(endpoint_url=URL, error="x"),
        UNREACHABLE,
    ),
    "reading timed out": (
        botocore_errors.ReadTimeoutError(endpoint_url=URL, error="x"),
        UNREACHABLE,
    ),
    "connection refused": (
        botocore_errors.EndpointConnectionError(endpoint_url=URL, error="x"),
        UNREACHABLE,
    ),
    "connection closed": (
        botocore_errors.ConnectionClosedError(endpoint_url=URL, error="x"),
        UNREACHABLE,
    ),
    "TLS": (botocore_errors.SSLError(endpoint_url=URL, error="x"), UNREACHABLE),
    "proxy": (botocore_errors.ProxyConnectionError(proxy_url=URL, error="x"), UNREACHABLE),
    "any HTTP failure": (botocore_errors.HTTPClientError(error="x"), UNREACHABLE),
    "cut short": (
        botocore_errors.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        UNREACHABLE,
    ),
    "cut off": (botocore_errors.ResponseStreamingError(error="x"), UNREACHABLE),
    "parameters refused": (botocore_errors.ParamValidationError(report="x"), REFUSED),
    "answer that cannot be read": (ResponseParserError("<SessionToken>hidden"), BAD_ANSWER),
    "anything else": (BotoCoreError(), REFUSED),
}


def test_failure_of_the_call_has_its_type() -> None:
    for case, (error, expected) in FAILURES.items():
        assert told(typed_error(error)) == expected, case
        assert isinstance(error, CALL_FAILED), case


LOGGED: dict[str, tuple[Exception, str]] = {
    "refusal": (
        answered("AccessDenied"),
        "ClientError: An error occurred (AccessDenied) when calling the AssumeRole operation: "
        "User arn:aws:iam::1:user/vendor may not",
    ),
    "refusal in S3's form": (
        ClientError(
            {"Code": "NoSuchEntity", "ResponseMetadata": {"HTTPStatusCode": 404}},  # type: ignore[arg-type]
            "AssumeRole",
        ),
        "ClientError: 404 NoSuchEntity when calling the AssumeRole operation",
    ),
    "network": (
        botocore_errors.ConnectTimeoutError(endpoint_url=URL),
        f'ConnectTimeoutError: Connect timeout on endpoint URL: "{URL}"',
    ),
    "answer that cannot be read": (
        ResponseParserError("<SessionToken>hidden"),
        "ResponseParserError",
    ),
    "parameters": (botocore_errors.ParamValidationError(report="hidden"), "ParamValidationError"),
}


def test_log_is_told_what_failed_but_never_an_answer() -> None:
    for case, (error, expected) in LOGGED.items():
        assert loggable(error) == expected, case


def test_nothing_of_the_store_s_text_is_told() -> None:
    for code in CODES:
        for status in (400, 500):
            message = typed_error(answered(code, status)).message
            assert "arn:" not in message
            assert "vendor may not" not in message


def test_passing_errors_alone_say_when_to_come_back() -> None:
    for kind, status, _, retry_after in {*CODES.values(), UNREACHABLE, NO_VENDOR}:
        assert (retry_after is not None) is (status == 503), kind


ERROR_FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "STS": ({"Error": {"Code": "AccessDenied"}}, "AccessDenied"),
    "S3's form": ({"Error": {}, "Code": "AccessDenied"}, "AccessDenied"),
    "S3's form, read as unknown": ({"Error": {"Code": "Unknown"}, "Code": "SlowDown"}, "SlowDown"),
    "no error at all": ({}, ""),
    "a number": ({"Error": {"Code": 404}}, "404"),
}


def test_code_is_found_in_both_forms() -> None:
    assert isinstance(answered("AccessDenied"), CALL_FAILED)
    for response, expected in ERROR_FORMS.values():
        error: Any = ClientError(response, "AssumeRole")  # type: ignore[arg-type]
        assert error_code(error) == expected
