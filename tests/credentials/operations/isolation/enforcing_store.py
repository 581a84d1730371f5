"""moto with the session policies of this service enforced in front of it, but for some calls."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.exceptions import ClientError

from credentials.models import Delivery
from credentials.operations.isolation import checking, posting
from credentials.vending.issuing import VendedSession
from credentials.vending.store_clients import Patience

WRITES = {
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "ListParts",
    "AbortMultipartUpload",
}


def enforce(
    monkeypatch: pytest.MonkeyPatch, *, ignoring: str = "", source_of: str = "", down: str = ""
) -> None:
    """Let the check meet a store that enforces all policies, but those of one operation.

    Of the operation `source_of` it looks at the target only. Calls of the operation `down` are
    answered with an error of the store.
    """
    make_client = checking.s3_client
    writes = WRITES | {source_of}

    def client(vended: VendedSession, patience: Patience) -> Any:
        s3 = make_client(vended, patience)

        def judge(params: dict[str, Any], model: Any, **_: Any) -> None:
            if model.name == down:
                raise answer(503, "SlowDown")
            if model.name != ignoring and not is_allowed(vended, model.name, params, writes):
                raise answer(403, "AccessDenied")

        s3.meta.events.register("provide-client-params.s3", judge)
        return s3

    def sts(*_: Any) -> Any:
        class Refusing:
            def assume_role(self, **_: Any) -> None:
                raise answer(403, "AccessDenied")

        return Refusing()

    monkeypatch.setattr(checking, "s3_client", client)
    monkeypatch.setattr(checking, "store_client", sts)
    monkeypatch.setattr(posting, "_send", guarded(posting._send, ignoring))


def guarded(send: Callable[..., Any], ignoring: str) -> Callable[..., Any]:
    """Requests that were signed in advance: the neighbours' intruders and reading are refused."""

    def judge(method: str, url: str, **request: Any) -> Any:
        path = unquote(urlsplit(url).path)
        is_inside = path.endswith("/presigned") or b"posted-" in request["data"]
        if is_inside or ignoring == f"presigned {method}":
            return send(method, url, **request)

        class Refused:
            status_code, content = 403, b"<Error><Code>AccessDenied</Code></Error>"

        return Refused()

    return judge


def is_allowed(
    vended: VendedSession, operation: str, params: dict[str, Any], writes: set[str]
) -> bool:
    root = vended.build.root
    if operation == "ListObjectsV2":
        return str(params["Prefix"]) == root or str(params["Prefix"]).startswith(f"{root}/")
    key = str(params.get("Key", ""))
    is_inside = key == root or key.startswith(f"{root}/")
    if vended.row.delivery == Delivery.CLEAN:
        return operation == "DeleteObject" and is_inside
    return operation in writes and is_inside and "ACL" not in params


def answer(status: int, code: str) -> ClientError:
    found: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(found, "any")
