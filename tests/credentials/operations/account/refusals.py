"""Errors as stores answer them."""

from collections.abc import Callable
from typing import NoReturn

from botocore.exceptions import ClientError


def refusal(status: int, code: str = "AccessDenied") -> ClientError:
    detail = {
        "Error": {"Code": code, "Message": "says the store"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(detail, "AnyCall")  # type: ignore[arg-type]


def refusal_in_s3s_form(status: int, code: str) -> ClientError:
    """As Ceph answers IAM and STS: botocore finds no `Error` in it."""
    detail = {"Code": code, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(detail, "AnyCall")  # type: ignore[arg-type]


def failing(error: ClientError) -> Callable[..., NoReturn]:
    """In the place of a client's method."""

    def call(*_self: object, **_request: object) -> NoReturn:
        raise error

    return call
