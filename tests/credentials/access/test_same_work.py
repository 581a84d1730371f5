"""An unknown id and a wrong secret take the same steps; `tests/bench/authenticating.py` has the
times."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from pytest_django import DjangoAssertNumQueries

from credentials.access import callers
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import start_access_token, start_job_token
from credentials.errors import InvalidCredentials
from credentials.models import AccessToken, ApiKey, JobToken
from credentials.rules import tokens
from credentials.rules.tokens import PresentedToken
from tests.conftest import raw_key


def job_token(caller: Caller, now: datetime) -> str:
    _, secret = start_job_token(client=caller.client, api_key=caller.api_key, products=[], now=now)
    return secret.reveal()


KINDS: dict[str, Callable[[Caller, datetime], str]] = {
    "key": lambda caller, now: raw_key(caller),
    "access token": lambda caller, now: start_access_token(caller=caller, now=now).reveal(),
    "job token": job_token,
}
OTHER_ID, OTHER_SECRET = "0" * 12, "0" * 64
SPOILT: dict[str, Callable[[str], str]] = {
    "unknown id": lambda raw_token: f"{raw_token[:5]}{OTHER_ID}_{OTHER_SECRET}",
    "wrong secret": lambda raw_token: f"{raw_token[:18]}{OTHER_SECRET}",
}


class Steps:
    """What is computed and made, in order; it is computed and made all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[str] = []
        self._matches, self._digest, self._from_db = tokens.matches, tokens.digest, Model.from_db
        monkeypatch.setattr(callers, "matches", self.matches)
        monkeypatch.setattr(callers, "digest", self.digest)
        monkeypatch.setattr(tokens, "digest", self.digest)
        monkeypatch.setattr(Model, "from_db", self.from_db)

    def matches(self, presented: PresentedToken, stored_digest: str) -> bool:
        self.taken.append(f"compare with {len(stored_digest)} digits")
        return self._matches(presented, stored_digest)

    def digest(self, secret: Any) -> str:
        self.taken.append("hash")
        return self._digest(secret)

    def from_db(self, *args: Any) -> Any:
        self.taken.append("make an object")
        raise AssertionError


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", SPOILT)
def test_refusing_takes_the_same_steps(
    case: str,
    kind: str,
    caller: Caller,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    raw_token = SPOILT[case](KINDS[kind](caller, now))
    steps = Steps(monkeypatch)
    with django_assert_num_queries(1) as captured, pytest.raises(InvalidCredentials):
        authenticate(raw_token=raw_token, name=None, now=now)
    assert steps.taken == ["hash", "compare with 64 digits", "hash"]
    assert raw_token[5:17] not in captured.captured_queries[0]["sql"]


def test_right_secret_of_another_id_is_refused(caller: Caller, now: datetime) -> None:
    for make in KINDS.values():
        raw_token = make(caller, now)
        with pytest.raises(InvalidCredentials):
            authenticate(raw_token=f"{raw_token[:5]}{OTHER_ID}{raw_token[17:]}", name=None, now=now)


@pytest.mark.sqlite
@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite's planner")
def test_token_is_found_by_an_index(db: None) -> None:
    for model in (ApiKey, AccessToken, JobToken):
        plan = model.objects.filter(secret_sha256="0" * 64).order_by()[:1].explain()
        assert "USING INDEX" in plan, model
        assert "_by_secret" in plan, model
