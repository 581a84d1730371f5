"""The trial itself: assume with a policy as the vendor, then without one from that session."""

from typing import Any

import pytest

from credentials.rules.secret import Secret
from credentials.stores.assuming import TRIES_ON_AWS, Again, try_assuming_again
from credentials.stores.operator import AccessKey, Operator
from credentials.stores.plan import Plan
from tests.credentials.stores.refusals import refusal

KEY = AccessKey(access_key_id="AKIAVENDOR", secret_access_key=Secret("x"))


class FakeOperator:
    """STS for the vendor's key, and for the session's."""

    def __init__(self, vendor: list[Exception | None], session: Exception | None = None) -> None:
        self.answers = {"AKIAVENDOR": vendor, "ASIASESSION": [session]}
        self.requests: list[dict[str, Any]] = []

    def sts_with(self, key: AccessKey) -> Any:
        self.key = key
        return self

    def assume_role(self, **request: Any) -> Any:
        self.requests.append(request)
        if error := self.answers[self.key.access_key_id].pop(0):
            raise error
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        return {"Credentials": dict.fromkeys(names, "ASIASESSION")}


def tried(operator: FakeOperator, plan: Plan) -> Again:
    return try_assuming_again(operator, plan, KEY).again  # type: ignore[arg-type]


def test_first_with_a_policy_then_without(plan: Plan) -> None:
    operator = FakeOperator([None])
    assert tried(operator, plan) is Again.ACCEPTED
    assert ["Policy" in request for request in operator.requests] == [True, False]


@pytest.mark.parametrize(
    ("error", "again"),
    [(refusal(403), Again.REFUSED), (refusal(500), Again.UNKNOWN), (refusal(400), Again.UNKNOWN)],
    ids=["forbidden", "broken", "malformed"],
)
def test_only_a_refusal_is_a_refusal(error: Exception, again: Again, plan: Plan) -> None:
    assert tried(FakeOperator([None], error), plan) is again


def test_new_key_is_waited_for_on_aws(plan: Plan) -> None:
    late = [refusal(403, "InvalidClientTokenId")] * (TRIES_ON_AWS - 1)
    assert tried(FakeOperator([*late, None], refusal(403)), plan) is Again.REFUSED


def test_waiting_has_an_end(plan: Plan) -> None:
    operator = FakeOperator([refusal(403)] * TRIES_ON_AWS)
    assert tried(operator, plan) is Again.UNKNOWN
    assert len(operator.requests) == TRIES_ON_AWS


def test_nothing_but_a_refusal_is_waited_out(plan: Plan) -> None:
    operator = FakeOperator([refusal(400, "MalformedPolicyDocument")])
    assert tried(operator, plan) is Again.UNKNOWN


def test_other_stores_answer_for_good_at_once(make_plan: Any) -> None:
    operator = FakeOperator([refusal(403)])
    assert tried(operator, make_plan(endpoint_url="http://x")) is Again.UNKNOWN


def test_external_id_is_sent_each_time(make_plan: Any) -> None:
    operator = FakeOperator([None])
    tried(operator, make_plan(external_id="x-1"))
    assert [request["ExternalId"] for request in operator.requests] == ["x-1", "x-1"]


def test_session_is_used_with_its_token(operator: Operator) -> None:
    """moto takes any key; the request must carry the token."""
    sent: list[str] = []
    session = AccessKey(
        access_key_id="ASIAX", secret_access_key=Secret("x"), session_token=Secret("the-token")
    )
    sts = operator.sts_with(session)
    sts.meta.events.register(
        "before-send.sts", lambda request, **_: sent.append(request.headers["X-Amz-Security-Token"])
    )
    sts.get_caller_identity()
    assert sent == [b"the-token"]
