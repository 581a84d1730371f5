"""The trial itself: assume with a policy as the vendor, then without one from that session."""

from typing import Any

from credentials.operations.account.assuming import TRIES_ON_AWS, Again, try_assuming_again
from credentials.operations.account.clients import StoreClients
from credentials.rules.account_documents import WantedAccount
from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey
from tests.credentials.operations.account.refusals import refusal

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


def tried(clients: FakeOperator, wanted: WantedAccount) -> Again:
    return try_assuming_again(clients, wanted, KEY).again  # type: ignore[arg-type]


def test_first_with_a_policy_then_without(wanted: WantedAccount) -> None:
    clients = FakeOperator([None])
    assert tried(clients, wanted) is Again.ACCEPTED
    assert ["Policy" in request for request in clients.requests] == [True, False]


def test_only_a_refusal_is_a_refusal(wanted: WantedAccount) -> None:
    for error, again in [
        (refusal(403), Again.REFUSED),
        (refusal(500), Again.UNKNOWN),
        (refusal(400), Again.UNKNOWN),
    ]:
        assert tried(FakeOperator([None], error), wanted) is again, error


def test_new_key_is_waited_for_on_aws(wanted: WantedAccount) -> None:
    late = [refusal(403, "InvalidClientTokenId")] * (TRIES_ON_AWS - 1)
    assert tried(FakeOperator([*late, None], refusal(403)), wanted) is Again.REFUSED


def test_waiting_has_an_end(wanted: WantedAccount) -> None:
    clients = FakeOperator([refusal(403)] * TRIES_ON_AWS)
    assert tried(clients, wanted) is Again.UNKNOWN
    assert len(clients.requests) == TRIES_ON_AWS


def test_nothing_but_a_refusal_is_waited_out(wanted: WantedAccount) -> None:
    clients = FakeOperator([refusal(400, "MalformedPolicyDocument")])
    assert tried(clients, wanted) is Again.UNKNOWN


def test_other_stores_answer_for_good_at_once(make_wanted: Any) -> None:
    clients = FakeOperator([refusal(403)])
    assert tried(clients, make_wanted(endpoint_url="http://x")) is Again.UNKNOWN


def test_external_id_is_sent_each_time(make_wanted: Any) -> None:
    clients = FakeOperator([None])
    tried(clients, make_wanted(external_id="x-1"))
    assert [request["ExternalId"] for request in clients.requests] == ["x-1", "x-1"]


def test_session_is_used_with_its_token(clients: StoreClients) -> None:
    """moto takes any key; the request must carry the token."""
    sent: list[str] = []
    session = AccessKey(
        access_key_id="ASIAX", secret_access_key=Secret("x"), session_token=Secret("the-token")
    )
    sts = clients.sts_with(session)
    sts.meta.events.register(
        "before-send.sts", lambda request, **_: sent.append(request.headers["X-Amz-Security-Token"])
    )
    sts.get_caller_identity()
    assert sent == [b"the-token"]
