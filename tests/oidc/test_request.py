"""The request for a job token, and its answer, as HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials.models import JobToken, TrustedPublisher
from tests.conftest import api_for
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

Signed = Callable[..., str]


def test_audience_is_told_to_everybody(settings: Any) -> None:
    settings.LTD_OIDC_AUDIENCE = "docs-keeper"
    answer = APIClient().get("/oidc/audience")
    assert (answer.status_code, answer.json()) == (200, {"audience": "docs-keeper"})


def test_audience_is_the_settings(
    show: Show, publisher: TrustedPublisher, signed: Signed, settings: Any
) -> None:
    settings.LTD_OIDC_AUDIENCE = "docs-keeper"
    assert_problem(show(signed()), 400, "wrong_audience")
    assert show(signed(aud="docs-keeper")).status_code == 200


def test_life_is_what_was_asked(show: Show, publisher: TrustedPublisher, signed: Signed) -> None:
    for seconds in (300, 43_200):
        assert show(signed(), expires_in=seconds).status_code == 200
        row = JobToken.objects.latest("pk")
        assert row.expires_at - row.created_at == timedelta(seconds=seconds)


def test_life_is_six_hours_unless_asked(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    show(signed())
    row = JobToken.objects.get()
    assert row.expires_at - row.created_at == timedelta(hours=6)


def test_life_that_no_token_has_is_refused(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    for seconds in (299, 43_201, 0, -1):
        assert_problem(show(signed(), expires_in=seconds), 400, "life_out_of_range")


WRONG: dict[str, Any] = {
    "no token": {},
    "token that is a number": {"token": 7},
    "token that is null": {"token": None},
    "token that is a list": {"token": ["x"]},
    "an unknown member": {"token": "x", "product": "guide"},
    "no product": {"token": "x", "products": []},
    "a product in text": {"token": "x", "products": "guide"},
    "a product that is a number": {"token": "x", "products": [7]},
    "too many products": {"token": "x", "products": ["guide"] * 101},
    "life in text": {"token": "x", "expires_in": "3600"},
    "a list": ["token"],
}


def test_body_that_is_not_as_it_should_be_is_refused() -> None:
    for body in WRONG.values():
        assert_problem(APIClient().post("/oidc/token", body), 400, "invalid_request")


def test_only_post_mints() -> None:
    for method in ("get", "head", "put", "delete"):
        assert getattr(APIClient(), method)("/oidc/token").status_code == 405


def test_line_break_behind_the_token_does_no_harm(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    assert show(signed() + "\n").status_code == 200


def test_what_stands_in_authorization_does_not_matter(
    publisher: TrustedPublisher, signed: Signed
) -> None:
    assert api_for("ltdk_wrong").post("/oidc/token", {"token": signed()}).status_code == 200


def test_answer_is_not_stored(show: Show, publisher: TrustedPublisher, signed: Signed) -> None:
    assert show(signed())["Cache-Control"] == "no-store"


def test_job_token_gives_the_lines_for_a_step(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    token = show(signed()).json()["token"]
    lines = api_for(token).get("/token?format=env")
    assert token in lines.content.decode()
