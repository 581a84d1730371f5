"""Identity tokens that are refused count as wrong keys do; right ones never notice."""

from collections.abc import Callable
from typing import Any

import pytest

from credentials.models import TrustedPublisher
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show
from tests.oidc.issuer import Issuer, send

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

LIMIT = 3


@pytest.fixture(autouse=True)
def _limit(settings: Any, one_minute: Any) -> None:
    settings.LTD_FAILURES_A_MINUTE = LIMIT


REFUSED: dict[str, Callable[[Callable[..., str]], str]] = {
    "no token": lambda signed: "x",
    "wrong audience": lambda signed: signed(aud="https://other.example.org"),
    "expired": lambda signed: signed(exp=1),
    "unknown issuer": lambda signed: signed(iss="https://other.example.org"),
    "no matching rule": lambda signed: signed(repository_id="0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_tokens_are_told_to_wait_after_too_many(
    case: str, show: Show, publisher: TrustedPublisher, signed: Callable[..., str]
) -> None:
    answers = [show(REFUSED[case](signed)) for _ in range(LIMIT + 1)]
    assert [answer.status_code in {400, 403} for answer in answers[:LIMIT]] == [True] * LIMIT
    assert_problem(answers[LIMIT], 429, "too_many_failures")
    assert 1 <= int(answers[LIMIT]["Retry-After"]) <= 60
    assert answers[LIMIT]["Cache-Control"] == "no-store"


def test_reused_token_is_told_to_wait_after_too_many(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str]
) -> None:
    token = signed()
    codes = [show(token).status_code for _ in range(LIMIT + 2)]
    assert codes == [200, *[422] * LIMIT, 429]


def test_right_token_is_answered_in_the_middle_of_a_flood(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str]
) -> None:
    for _ in range(LIMIT + 2):
        show("x")
    assert show(signed()).status_code == 200


PASSING: dict[str, tuple[dict[str, Any], str]] = {
    "life out of range": ({"expires_in": 1}, "life_out_of_range"),
    "product of others": ({"products": ["foreign"]}, "product_not_granted"),
    "request that is none": ({"products": 7}, "invalid_request"),
}


@pytest.mark.parametrize("case", PASSING)
def test_other_refusals_are_no_failure_to_authenticate(
    case: str, show: Show, publisher: TrustedPublisher, signed: Callable[..., str]
) -> None:
    members, code = PASSING[case]
    for _ in range(LIMIT + 2):
        assert show(signed(), **members).json()["code"] == code


def test_keys_that_cannot_be_had_are_nobody_s_failure(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str], issuer: Issuer
) -> None:
    token = signed()
    issuer.answer = lambda handler: send(handler, b"", status=500)
    codes = [show(token).json()["code"] for _ in range(LIMIT + 2)]
    assert set(codes) == {"jwks_unavailable"}
