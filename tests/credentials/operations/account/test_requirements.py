"""Bringing one setting to what it should be."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.parsers import ResponseParserError

from credentials.operations.account.obstacles import (
    KeyRefused,
    NoBucket,
    NotPermitted,
    Obstacle,
    Whose,
)
from credentials.operations.account.requirements import (
    PUTS,
    Requirement,
    Status,
    Step,
    is_settled,
    settle,
)
from credentials.rules.account_documents import WantedAccount
from tests.credentials.operations.account.refusals import refusal, refusal_in_s3s_form


class Shelf:
    """Holds one value; raises instead, where it is told to."""

    def __init__(self, value: Any = None, *, keeps: bool = True, error: Exception | None = None):
        self.value, self.keeps, self.error = value, keeps, error
        self.puts = 0

    def look(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def put(self) -> None:
        self.puts += 1
        if self.error:
            raise self.error
        if self.keeps:
            self.value = "wanted"

    def settled(self, *, apply: bool = True, **options: Any) -> Step:
        return settle(self.requirement(**options), apply=apply)

    def requirement(self, **options: Any) -> Requirement:
        return Requirement(
            what="it", why="so", wanted="wanted", look=self.look, put=self.put, **options
        )


def test_what_is_right_is_left_alone() -> None:
    for apply in [True, False]:
        shelf = Shelf("wanted")
        assert (shelf.settled(apply=apply).status, shelf.puts) == (Status.UNCHANGED, 0), apply


def test_looking_changes_nothing() -> None:
    for found, status in [(None, Status.WOULD_MAKE), ("other", Status.WOULD_CHANGE)]:
        shelf = Shelf(found)
        assert (shelf.settled(apply=False).status, shelf.puts) == (status, 0), found


def test_what_differs_is_put_right() -> None:
    for found, status in [(None, Status.MADE), ("other", Status.CHANGED)]:
        shelf = Shelf(found)
        assert (shelf.settled().status, shelf.value) == (status, "wanted"), found


def test_setting_of_a_missing_bucket_is_missing_not_failed() -> None:
    no_bucket = NoBucket(reason="there is no bucket")
    assert Shelf(no_bucket).settled(apply=False).status is Status.WOULD_MAKE


def test_what_is_accepted_but_not_kept_is_not_supported() -> None:
    step = Shelf("other", keeps=False).settled(unsupported="So do without.")
    assert step.status is Status.NOT_SUPPORTED
    assert step.detail == "Accepted, but not kept. So do without."


def test_unknown_call_is_not_supported() -> None:
    for error in [
        refusal(405, "MethodNotAllowed"),
        refusal(501),
        refusal_in_s3s_form(405, "MethodNotAllowed"),
        refusal(400, "NotImplemented"),
        refusal(400, "Odd"),
    ]:
        step = Shelf(error=error).settled(unsupported_codes=frozenset({"Odd"}))
        assert step.status is Status.NOT_SUPPORTED, error


def test_refusal_is_a_failed_step_and_no_exception() -> None:
    for error in [
        refusal(403),
        refusal(400, "Odd"),
        EndpointConnectionError(endpoint_url="http://x"),
    ]:
        for when in ["looking", "putting"]:
            shelf = Shelf(error) if when == "looking" else Shelf(error=error)
            step = shelf.settled()
            assert step.status is Status.FAILED, error
            assert step.detail, error


ODD = {
    "not the XML of S3": ResponseParserError("invalid XML received: b'a secret'"),
    "without what it should have": KeyError("Role"),
}


@pytest.mark.parametrize("case", ODD)
def test_response_that_is_none_is_a_failed_step_and_not_quoted(case: str) -> None:
    for shelf in (Shelf(error=ODD[case]), Shelf(ODD[case])):
        step = shelf.settled()
        assert step.status is Status.FAILED
        name = type(ODD[case]).__name__
        assert step.detail == f"the response is not one to this call ({name})"


class Late:
    """A store that knows what was just made only after some calls."""

    def __init__(self, refusals: int, code: str) -> None:
        self.errors = [refusal(400, code)] * refusals
        self.value: str | None = None

    def put(self) -> None:
        if self.errors:
            raise self.errors.pop()
        self.value = "wanted"

    def settled(self) -> Status:
        requirement = Requirement(
            what="",
            why="",
            wanted="wanted",
            look=lambda: self.value,
            put=self.put,
            late_codes=frozenset({"Late"}),
        )
        return settle(requirement, apply=True).status


@pytest.mark.parametrize(
    ("refusals", "code", "status"),
    [
        (PUTS - 1, "Late", Status.MADE),
        (PUTS, "Late", Status.FAILED),
        (1, "Other", Status.FAILED),
    ],
    ids=["known in the end", "never known", "another reason"],
)
def test_what_is_not_known_yet_is_waited_for(refusals: int, code: str, status: Status) -> None:
    assert Late(refusals, code).settled() is status


WITH_A_REASON: dict[Obstacle, str] = {
    NotPermitted(whose=Whose.OPERATOR, action="s3:ListBucket", resource="docs"): (
        "403 403 (s3:ListBucket is needed)"
    ),
    KeyRefused(whose=Whose.OPERATOR, answer="there are none"): (
        "The operator's credentials are not usable: there are none. "
        "Use credentials that may set up the account: --profile."
    ),
}


def test_operator_is_told_what_to_do() -> None:
    for obstacle, told in WITH_A_REASON.items():
        if isinstance(obstacle, NotPermitted):  # as HEAD is answered: without a body
            obstacle.__cause__ = refusal_in_s3s_form(403, "403")
        assert Shelf(obstacle).settled().detail == told


def test_store_is_quoted_to_the_operator() -> None:
    assert Shelf(error=refusal(403)).settled().detail == "403 AccessDenied says the store"
    s3s_form = Shelf(error=refusal_in_s3s_form(403, "AccessDenied"))
    assert s3s_form.settled().detail == "403 AccessDenied"


def test_tolerated_value_stays_and_is_told() -> None:
    shelf = Shelf("nearly")
    step = shelf.settled(tolerated="nearly", tolerance="The rest cannot be.")
    assert (step.status, shelf.puts) == (Status.NOT_SUPPORTED, 0)
    assert step.detail == "The rest cannot be."


def test_missing_value_is_not_the_tolerated_one() -> None:
    assert Shelf(None).settled().status is Status.MADE


def test_holding_is_told_without_changing() -> None:
    for found, answer in [("wanted", True), ("other", False), (None, False), (refusal(403), False)]:
        shelf = Shelf(found)
        assert (is_settled(shelf.requirement()), shelf.puts) == (answer, 0), found


def test_store_with_an_endpoint_is_not_taken_for_aws(
    make_wanted: Callable[..., WantedAccount],
) -> None:
    for endpoint_url, is_aws in [("", True), ("https://s3.example.org", False)]:
        assert make_wanted(endpoint_url=endpoint_url).is_aws is is_aws, endpoint_url


def test_wanted_account_is_that_of_the_store_s_row(
    make_wanted: Callable[..., WantedAccount],
) -> None:
    wanted = make_wanted(with_sync=True, external_id="x-1", role_max_seconds=7200, prefix="ci")
    assert (wanted.with_sync, wanted.external_id, wanted.session_seconds) == (True, "x-1", 7200)
    assert wanted.user_name("vendor") == "ci-vendor"
