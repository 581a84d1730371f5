"""STS answers that botocore reads in its own way: typed, recorded, and never half handed out."""

from collections.abc import Callable
from functools import partial

import pytest

from credentials.models import IssuedSession
from tests.conftest import undone
from tests.http.canned_sts import CannedSts
from tests.http.conftest import Send
from tests.http.endpoints import FINISH_BUILD, ISSUE, REFRESH
from tests.http.problem import assert_problem
from tests.http.sts_answers import Answer

pytestmark = pytest.mark.django_db

PAGE = "<html><head><title>Gateway</title></head><body>arn:aws:iam::1:role/x</body></html>"
BROKEN: dict[str, Callable[[CannedSts], Answer]] = {
    "nothing": lambda sts: (200, ""),
    "JSON": lambda sts: (200, '{"Credentials": {}}'),
    "a page": lambda sts: (200, PAGE),
    "another answer": lambda sts: (200, "<GetCallerIdentityResponse/>"),
    "no credentials": lambda sts: sts.without("Credentials"),
    "no access key": lambda sts: sts.without("AccessKeyId"),
    "no secret": lambda sts: sts.without("SecretAccessKey"),
    "no token": lambda sts: sts.without("SessionToken"),
    "no expiry": lambda sts: sts.without("Expiration"),
    "empty access key": lambda sts: sts.changed("AccessKeyId", ""),
    "empty secret": lambda sts: sts.changed("SecretAccessKey", ""),
    "empty token": lambda sts: sts.changed("SessionToken", ""),
    "empty expiry": lambda sts: sts.changed("Expiration", ""),
    "expiry that is no time": lambda sts: sts.changed("Expiration", "soon"),
    "expiry that has passed": lambda sts: sts.changed("Expiration", "2020-01-01T00:00:00Z"),
    "expiry as a number": lambda sts: sts.changed("Expiration", "0"),
    "cut off": lambda sts: sts.cut(),
}
PASSING = {
    "page of a balancer": (502, PAGE),
    "gateway timeout": (504, ""),
}


def test_answer_that_is_no_session_is_thrown_away(send: Send, canned: CannedSts) -> None:
    for answer in BROKEN.values():
        with undone():
            canned.answer = partial(answer, canned)
            assert_problem(send(ISSUE), 502, "sts_bad_answer")
            row = IssuedSession.objects.get()
            assert (row.status, row.failure_code) == ("failed", "sts_bad_answer")


def test_refresh_throws_it_away_too(send: Send, canned: CannedSts) -> None:
    canned.answer = canned.cut
    assert_problem(send(REFRESH), 502, "sts_bad_answer")


def test_answer_that_is_no_session_does_not_stop_finishing(send: Send, canned: CannedSts) -> None:
    canned.answer = canned.cut
    assert send(FINISH_BUILD).status_code == 200


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
def test_server_error_of_any_form_passes(answer: Answer, send: Send, canned: CannedSts) -> None:
    canned.answer = lambda: answer
    response = send(ISSUE)
    assert_problem(response, 503, "sts_unreachable")
    assert response["Retry-After"] == "5"
    assert IssuedSession.objects.get().status == "failed"


def test_whole_answer_is_handed_out(send: Send, canned: CannedSts) -> None:
    document = send(ISSUE).json()
    assert [document["SecretAccessKey"], document["SessionToken"]] == canned.secrets
