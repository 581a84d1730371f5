"""What really leaves for STS. moto proves that a call was made and how; never what it allows."""

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse

from builds.models import Store
from credentials.errors import StsBadAnswer
from credentials.rules.policy import Scope, session_policy
from credentials.vending import sts
from credentials.vending.sts import assume_role, client_for
from tests.ltdkeeper.log_lines import log_at

STORE = Store(
    name="main",
    bucket="docs",
    region="eu-central-1",
    role_arn="arn:aws:iam::123456789012:role/upload",
    external_id="tenant-7",
)
POLICY = session_policy(
    Scope(partition="aws", bucket="docs", root="guide/builds/v1", may_list_bare_root=True)
)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[AWSPreparedRequest]]:
    requests: list[AWSPreparedRequest] = []

    def record(request: AWSPreparedRequest, **_: object) -> None:
        requests.append(request)

    monkeypatch.setattr(sts, "_clients", {})
    with mock_aws():
        client_for(STORE).meta.events.register_first("before-send.sts.AssumeRole", record)
        yield requests


def assume(now: datetime) -> sts.AssumedSession:
    return assume_role(
        store=STORE, session_name="01j-guide", policy=POLICY, duration_seconds=900, now=now
    )


def test_policy_arrives_unchanged(sent: list[AWSPreparedRequest], now: datetime) -> None:
    assume(now)
    [request] = sent
    body = request.body if isinstance(request.body, str) else request.body.decode()
    assert parse_qs(body) == {
        "Action": ["AssumeRole"],
        "Version": ["2011-06-15"],
        "RoleArn": [STORE.role_arn],
        "RoleSessionName": ["01j-guide"],
        "DurationSeconds": ["900"],
        "ExternalId": ["tenant-7"],
        "Policy": [POLICY],
    }


def test_call_goes_to_the_region_s_endpoint(sent: list[AWSPreparedRequest], now: datetime) -> None:
    assume(now)
    assert (sent[0].method, sent[0].url) == ("POST", "https://sts.eu-central-1.amazonaws.com/")


def test_answer_of_botocore_is_read(sent: list[AWSPreparedRequest], now: datetime) -> None:
    session = assume(now)
    assert session.access_key_id.startswith("ASIA")
    assert session.session_token.reveal()
    assert session.expires_at.utcoffset() is not None
    assert session.assumed_role_id.endswith(":01j-guide")
    assert session.sts_request_id


EXPIRES = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
WHOLE = (
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
    "<Credentials><AccessKeyId>ASIAONLYFORTESTS</AccessKeyId>"
    "<SecretAccessKey>hidden-secret</SecretAccessKey><SessionToken>hidden-token</SessionToken>"
    f"<Expiration>{EXPIRES}</Expiration></Credentials>"
    "<PackedPolicySize>7</PackedPolicySize></AssumeRoleResult></AssumeRoleResponse>"
)
UNREADABLE = {
    "a page": b"<html><body>SessionToken-hidden",
    "half an answer": WHOLE[: WHOLE.index("<Expiration>")].encode(),
    "no XML at all": b"SessionToken-hidden",
    "nothing": b"",
    "another answer": WHOLE.replace("AssumeRole", "GetSessionToken").encode(),
    "no token": WHOLE.replace("hidden-token", "").encode(),
    "no time at all": WHOLE.replace(EXPIRES, "hidden").encode(),
    "a time out of this world": WHOLE.replace(EXPIRES, "9" * 20).encode(),
    "a time before all others": WHOLE.replace(EXPIRES, "0001-01-01T00:00:00+23:00").encode(),
    "a time far ahead": WHOLE.replace(EXPIRES, "9999-12-31T00:00:00Z").encode(),
    "a size of 30 digits": WHOLE.replace(">7<", f">{'9' * 30}<").encode(),
    "a size below nothing": WHOLE.replace(">7<", ">-5<").encode(),
    "a long access key": WHOLE.replace("ASIAONLYFORTESTS", "A" * 5000).encode(),
    "an access key that is none": WHOLE.replace("ASIAONLYFORTESTS", "ASIA hidden").encode(),
    "a size that is no number": WHOLE.replace(">7<", ">hidden<").encode(),
}


def answer_with(body: bytes) -> None:
    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        return AWSResponse(request.url, 200, {}, MockRawResponse(body))

    client_for(STORE).meta.events.register_first("before-send.sts.AssumeRole", answer)


def test_answer_that_cannot_be_read_is_an_error_and_is_not_logged(
    sent: list[AWSPreparedRequest], now: datetime
) -> None:
    for case, unreadable in UNREADABLE.items():
        answer_with(unreadable)
        with log_at("DEBUG") as lines, pytest.raises(StsBadAnswer) as caught:
            assume(now)
        assert "hidden" not in "".join(traceback.format_exception(caught.value)), case
        assert len(lines()) == 1, case
        assert "hidden" not in str(lines()), case


def test_whole_answer_is_read(sent: list[AWSPreparedRequest], now: datetime) -> None:
    answer_with(WHOLE.encode())
    session = assume(now)
    assert (session.access_key_id, session.packed_policy_percent) == ("ASIAONLYFORTESTS", 7)


def test_answer_is_not_in_the_log_at_debug(sent: list[AWSPreparedRequest], now: datetime) -> None:
    with log_at("DEBUG") as lines:
        logging.getLogger("credentials").debug("debug is on")
        session = assume(now)
    assert [line["event"] for line in lines()] == ["debug is on"]
    assert session.secret_access_key.reveal() not in str(lines())
    assert session.session_token.reveal() not in str(lines())


MOMENTS = {
    "with Z": "2026-01-02T03:04:05Z",
    "with milliseconds": "2026-01-02T03:04:05.000Z",
    "with an offset": "2026-01-02T05:04:05+02:00",
    "seconds since 1970": "1767323045",
    "as in a header": "Fri, 02 Jan 2026 03:04:05 GMT",
}


def test_time_of_any_form_that_botocore_reads_is_read() -> None:
    expected = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for form, value in MOMENTS.items():
        assert sts.parsed_time(value) == expected, form
