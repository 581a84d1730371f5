"""Finishing holds what arrived against the ledger, and says the same when asked again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from builds.errors import BuildClosed, EmptyBuild, UnknownBuild
from builds.models import Build, Product
from builds.services import Survey, delete_build
from credentials.access.callers import Caller, Origin
from credentials.errors import NotYourBuild, ProductNotGranted, SessionWithheld
from credentials.models import Delivery, Grant
from credentials.vending import finishing
from credentials.vending.finishing import finish_owned_build
from credentials.vending.issuing import issue_session
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db(transaction=True)

FOUND = Survey(object_count=2, byte_count=30, has_objects=True)
NOTHING = Survey(object_count=0, byte_count=0, has_objects=False)
MANY = Survey(failure="more_than_one_page", has_objects=True)
UNSEEN = Survey(failure="store_unreachable")

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
    "objects, no session": (FOUND, None, True),
    "objects, a listing session alone": (FOUND, Delivery.LIST, True),
    "objects and a session": (FOUND, Delivery.JSON, False),
    "objects and a container's session": (FOUND, Delivery.CONTAINER, False),
    "objects and a process's session": (FOUND, Delivery.PROCESS, False),
    "more than a page, no session": (MANY, None, True),
    "more than a page and a session": (MANY, Delivery.JSON, False),
    "nothing seen, no session": (UNSEEN, None, False),
    "empty, no session": (NOTHING, None, False),
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


def test_session_that_was_not_handed_out_did_not_write(
    finish: Finish, caller: Caller, build: Build, sts: FakeSts
) -> None:
    sts.fail_with("AccessDenied")
    with pytest.raises(Exception, match="refuses the upload role"):
        issue(caller, build, Delivery.JSON)
    assert finish().written_without_session


def test_another_build_s_session_did_not_write(
    finish: Finish, register: Callable[..., Build], caller: Caller, build: Build, sts: FakeSts
) -> None:
    issue(caller, register(), Delivery.JSON)
    assert finish().written_without_session


def test_finishing_again_gives_the_same_without_another_look(
    finish: Finish, survey: Surveys
) -> None:
    first = finish()
    survey.result = NOTHING
    again = finish(now=timezone.now() + timedelta(days=1))
    assert (again.finished_at, again.object_count) == (first.finished_at, 2)
    assert survey.count == 1


def test_empty_build_is_refused_unless_announced(finish: Finish, survey: Surveys) -> None:
    survey.result = NOTHING
    with pytest.raises(EmptyBuild):
        finish()
    assert finish(empty_allowed=True).object_count == 0


@pytest.mark.parametrize("finished", [False, True])
def test_deleted_build_is_not_finished(
    *, finished: bool, finish: Finish, build: Build, now: datetime
) -> None:
    if finished:
        finish()
    delete_build(build_id=build.pk, now=now)
    with pytest.raises(BuildClosed):
        finish()


def test_build_that_closed_during_the_look_is_not_finished(
    finish: Finish, build: Build, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete_meanwhile(**_: Any) -> Survey:
        delete_build(build_id=build.pk, now=now)
        return FOUND

    monkeypatch.setattr(finishing, "survey_build", delete_meanwhile)
    with pytest.raises(BuildClosed):
        finish()
    assert Build.objects.get().finished_at is None


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


def test_another_client_does_not_finish(
    finish: Finish, survey: Surveys, make_caller: Callable[..., Caller], product: Product
) -> None:
    with pytest.raises(NotYourBuild):
        finish(caller=make_caller("other", product))
    Grant.objects.all().delete()
    with pytest.raises(ProductNotGranted):
        finish()
    assert survey.count == 0


def test_unknown_build_is_not_finished(finish: Finish, build: Build) -> None:
    with pytest.raises(UnknownBuild):
        finish(build_id=build.pk + 1)
