"""Finishing while the store is away: always 200, and the reason for the missing count is kept."""

import pytest
from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from builds.models import Build
from credentials.models import IssuedSession
from tests.conftest import undone
from tests.fake_sts import FakeSts
from tests.http.conftest import Send
from tests.http.endpoints import FINISH_BUILD
from tests.http.fake_s3 import FakeS3

pytestmark = pytest.mark.django_db


def refusal(code: str, status: int) -> botocore_errors.ClientError:
    """What botocore raises for S3's answer."""
    detail = {
        "Error": {"Code": code, "Message": f"{code} of arn:aws:sts::123456789012:assumed-role/x"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return botocore_errors.ClientError(detail, "ListObjectsV2")  # type: ignore[arg-type]


def away(kind: type[Exception]) -> Exception:
    return kind(endpoint_url="http://inside:9000", error="arn:aws:iam::1:role/x")


AWAY = {
    "refused connection": away(botocore_errors.EndpointConnectionError),
    "read timeout": away(botocore_errors.ReadTimeoutError),
    "TLS": away(botocore_errors.SSLError),
    "broken stream": botocore_errors.ResponseStreamingError(error="cut"),
    "unreadable answer": ResponseParserError("arn:aws:iam::1:role/x"),
    "anything else": botocore_errors.BotoCoreError(),
    "access denied": refusal("AccessDenied", 403),
    "internal error": refusal("InternalError", 500),
    "code of 200 characters": refusal("X" * 200, 400),
}


def test_store_that_is_away_does_not_stop_finishing(send: Send, s3: FakeS3) -> None:
    for case, error in AWAY.items():
        with undone():
            s3.error = error
            response = send(FINISH_BUILD)
            document = response.json()
            assert (response.status_code, document["state"]) == (200, "finished"), case
            assert document["object_count"] is None, case
            assert document["written_without_session"] is False, case
            assert Build.objects.get().survey_failure != "", case
            assert "arn:aws" not in response.content.decode(), case


def test_store_that_is_away_does_not_stop_finishing_an_empty_build(send: Send, s3: FakeS3) -> None:
    s3.error = AWAY["read timeout"]
    document = send(FINISH_BUILD, b'{"uploaded": true, "empty": true}').json()
    assert (document["state"], document["object_count"]) == ("finished", None)


def test_sts_that_refuses_does_not_stop_finishing(send: Send, s3: FakeS3, sts: FakeSts) -> None:
    for code in ("InternalFailure", "AccessDenied", "SomethingNew"):
        with undone():
            sts.fail_with(code, 500 if code == "InternalFailure" else 400)
            response = send(FINISH_BUILD)
            assert (response.status_code, response.json()["state"]) == (200, "finished"), code
            build, row = Build.objects.get(), IssuedSession.objects.get()
            assert (row.delivery, row.status) == ("list", "failed"), code
            assert build.survey_failure == row.failure_code != "", code
            assert s3.requests == [], code


def test_sts_that_is_away_does_not_stop_finishing(send: Send, s3: FakeS3, sts: FakeSts) -> None:
    sts.error = away(botocore_errors.EndpointConnectionError)
    assert send(FINISH_BUILD).status_code == 200
    assert Build.objects.get().survey_failure == "sts_unreachable"
