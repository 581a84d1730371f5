"""Finishing compares what arrived with the ledger; what it answers over HTTP: tests/http."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from builds.errors import BuildClosed
from builds.models import Build
from builds.services import Survey
from credentials.access import revocations
from credentials.access.callers import Caller, Origin
from credentials.errors import RevocationsFull, SessionWithheld
from credentials.models import Delivery, IssuedSession, Revocation
from credentials.rules.revocation import MOST_CHARACTERS
from credentials.vending import finishing
from credentials.vending.finishing import finish_owned_build
from credentials.vending.issuing import issue_session
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)

FOUND = Survey(object_count=2, byte_count=30, has_objects=True)
MANY = Survey(failure="more_than_one_page", has_objects=True)

Finish = Callable[..., Build]


class Surveys:
    """What a look at the store will say, and how often it was asked."""

    def __init__(self) -> None:
        self.result, self.count = FOUND, 0

    def __call__(self, **_: Any) -> Survey:
        self.count += 1
        return self.result


@pytest.fixture
def survey(monkeypatch: pytest.MonkeyPatch) -> Surveys:
    surveys = Surveys()
    monkeypatch.setattr(finishing, "survey_build", surveys)
    return surveys


@pytest.fixture
def finish(caller: Caller, build: Build, survey: Surveys) -> Finish:
    def call(**changes: Any) -> Build:
        arguments = {
            "caller": caller,
            "build_id": build.pk,
            "empty_allowed": False,
            "origin": Origin(),
            "now": timezone.now(),
        }
        return finish_owned_build(**(arguments | changes))

    return call


def issue(caller: Caller, build: Build, delivery: Delivery) -> None:
    issue_session(
        caller=caller, build_id=build.pk, delivery=delivery, origin=Origin(), now=timezone.now()
    )


# what was seen, the delivery of a session issued before -> is the build marked
MARKS = {
    "objects, a listing session alone": (FOUND, Delivery.LIST, True),
    "objects and a process's session": (FOUND, Delivery.PROCESS, False),
    "more than a page and a session": (MANY, Delivery.JSON, False),
}


@pytest.mark.parametrize("case", MARKS)
def test_build_is_marked_when_other_credentials_wrote_it(
    case: str, finish: Finish, survey: Surveys, caller: Caller, build: Build, sts: FakeSts
) -> None:
    survey.result, delivery, marked = MARKS[case]
    if delivery is not None:
        issue(caller, build, delivery)
    assert finish(empty_allowed=True).written_without_session is marked
    assert Build.objects.get().finished_at is not None


MEANWHILE: list[type[Exception]] = [BuildClosed, SessionWithheld]


@pytest.mark.parametrize("refusal", MEANWHILE)
def test_build_that_another_call_finished_during_the_look_is_finished(
    refusal: type[Exception], finish: Finish, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish_meanwhile(**_: Any) -> Survey:
        Build.objects.update(finished_at=build.registered_at, object_count=7)
        raise refusal

    monkeypatch.setattr(finishing, "survey_build", finish_meanwhile)
    answered = finish()
    assert (answered.finished_at, answered.object_count) == (build.registered_at, 7)


@pytest.mark.parametrize("refusal", MEANWHILE)
def test_look_that_is_refused_for_another_reason_is_told(
    refusal: type[Exception], finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> Survey:
        raise refusal

    monkeypatch.setattr(finishing, "survey_build", refuse)
    with pytest.raises(refusal):
        finish()
    assert Build.objects.get().finished_at is None


@pytest.fixture
def session(caller: Caller, build: Build, sts: FakeSts, settings: Any) -> IssuedSession:
    """A live session of a build whose finish is to revoke it."""
    settings.LTD_REVOKE_ON_FINISH = True
    return issue_session(
        caller=caller,
        build_id=build.pk,
        delivery=Delivery.JSON,
        origin=Origin(),
        now=timezone.now(),
    ).row


def test_finish_revokes_the_sessions_where_that_is_set(
    finish: Finish, session: IssuedSession
) -> None:
    build = finish()
    session.refresh_from_db()
    decision = session.revocation
    assert decision
    assert (decision.kind, decision.target_name) == ("build", build.root)
    assert (decision.requested_by, decision.may_go_on) == ("LTD_REVOKE_ON_FINISH", True)


def test_finish_revokes_nothing_unless_that_is_set(
    finish: Finish, session: IssuedSession, settings: Any
) -> None:
    settings.LTD_REVOKE_ON_FINISH = False
    finish()
    assert not Revocation.objects.exists()


def test_build_without_live_sessions_makes_no_decision(
    finish: Finish, session: IssuedSession
) -> None:
    IssuedSession.objects.update(expires_at=timezone.now())
    finish()
    assert not Revocation.objects.exists()


def test_build_whose_sessions_have_no_room_is_not_finished(
    finish: Finish, session: IssuedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "other_characters", lambda _: MOST_CHARACTERS - 150)
    with pytest.raises(RevocationsFull):
        finish()
    session.refresh_from_db()
    assert (session.existing_build.finished_at, session.revoked_at) == (None, None)
